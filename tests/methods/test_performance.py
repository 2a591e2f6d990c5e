"""Cloning that follows the returns: when it lets go, when it takes hold, and where the published rule does not."""

import numpy as np
import pytest

from porl_robot.methods.schedules import Performance, Progress
from porl_robot.replay.buffer import Outcome

BOUNDS = (-1.0, 0.0)
SUCCESS, FAILURE = Outcome(50, 0.0, False), Outcome(50, -50.0, False)
"""Scores of exactly one and zero, over the full length."""


def binary(success, episodes, seed):
    rng = np.random.default_rng(seed)
    return [SUCCESS if rng.random() < success else FAILURE for _ in range(episodes)]


def coefficient(episodes, bounds=BOUNDS, **gains):
    return Performance(**gains)(Progress(0, episodes, bounds))


@pytest.mark.parametrize("seed", range(5))
def test_binary_success_of_one_half_lets_go(seed):
    assert coefficient(binary(0.5, 300, seed)) < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_published_rule_holds_on_at_one_half(seed):
    """Without smoothing the derivative sees every failure after a success as a fall of the return."""
    late = [coefficient(binary(0.5, 300, seed)[:n], now_rate=1.0) for n in range(150, 301, 10)]
    assert np.mean(late) > 0.3


@pytest.mark.parametrize("success", [0.1, 0.2])
def test_both_let_go_of_a_bad_policy(success):
    for rate in (0.2, 1.0):
        assert coefficient(binary(success, 300, 0), now_rate=rate) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_sharp_drop_takes_hold_again(seed):
    """From success .95 to none: the coefficient had fallen, and rises within ten episodes."""
    before = [SUCCESS] * 20 + binary(0.5, 120, seed) + binary(0.95, 60, seed)
    after = [coefficient(before + [FAILURE] * n) for n in range(11)]
    assert after[0] < 0.2
    assert max(after) > after[0] + 0.15


def test_it_is_a_function_of_the_history_alone():
    history, rule = binary(0.7, 80, 1), Performance()
    values = [rule(Progress(step, history[:n], BOUNDS)) for step, n in ((0, 80), (9, 5), (3, 80), (7, 0))]
    assert values[0] == values[2] and values[3] == rule.start and values[1] != values[0]
    assert not rule.every_step


def by_hand(scores, shares, start=0.4, target=1.05, p=0.03, d=0.1, slow=0.05, fast=0.2):
    value, average, now = start, scores[0], scores[0]
    for score, part in zip(scores, shares, strict=True):
        now = (1 - fast) * now + fast * score
        value = min(max(value + part * (-p * (target - average) + d * max(0.0, average - now)), 0.0), start)
        average = (1 - slow) * average + slow * score
    return value


def test_it_equals_the_recurrence():
    """Terminated episodes count the steps they saved as best; short ones move the coefficient less."""
    episodes = [Outcome(40, -40.0, False), Outcome(10, -9.0, True), Outcome(50, -50.0, False), Outcome(20, -20.0, True)]
    scores = [0.0, (40 - 9) / 40, 0.0, 30 / 50]
    assert coefficient(episodes) == pytest.approx(by_hand(scores, [1.0, 0.25, 1.0, 0.4]))


@pytest.mark.parametrize(("bounds", "good", "bad"), [
    ((0.0, 1.0), Outcome(10, 10.0, False), Outcome(10, 0.0, False)),
    ((-2.0, 3.0), Outcome(10, 30.0, False), Outcome(10, -20.0, False)),
])  # fmt: skip
def test_the_scale_of_the_reward_does_not_matter(bounds, good, bad):
    pattern = binary(0.6, 60, 3)
    same = [good if each is SUCCESS else bad for each in pattern]
    assert coefficient(same, bounds) == pytest.approx(coefficient(pattern))


def test_returns_of_unknown_scale_are_refused():
    with pytest.raises(ValueError, match="reward bounds are unknown"):
        coefficient([SUCCESS], bounds=None)


def test_it_never_leaves_its_range():
    assert coefficient([FAILURE] * 500) == 0.0
    steep = [coefficient([SUCCESS] * 50 + [FAILURE] * n, derivative=5.0) for n in range(20)]
    assert max(steep) == 0.4
