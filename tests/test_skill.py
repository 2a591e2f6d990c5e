"""Each knob spoils an expert in its own way, and none of them does nothing."""

from __future__ import annotations

import numpy as np
import pytest

from porl_robot.skill import Skill


def begun(bias: float = 0.0, noise: float = 0.0, p_random: float = 0.0, seed: int = 0) -> Skill:
    skill = Skill(bias, noise, p_random)
    skill.begin(np.random.default_rng(seed))
    return skill


def test_without_knobs_only_the_range_is_kept() -> None:
    skill = begun()
    np.testing.assert_array_equal(skill.offset, np.zeros(3))
    for _ in range(20):
        np.testing.assert_array_equal(skill.spoiled(np.array([0.3, -2.0])), [0.3, -0.97])


def test_bias_is_of_the_episode_and_smaller_in_height() -> None:
    offsets = np.array([begun(bias=0.02, seed=seed).offset for seed in range(2000)])
    np.testing.assert_allclose(offsets.std(axis=0), [0.02, 0.02, 0.008], rtol=0.1)
    skill = begun(bias=0.02)
    before = skill.offset.copy()
    skill.spoiled(np.zeros(4))
    np.testing.assert_array_equal(skill.offset, before)


def test_noise_is_of_every_action() -> None:
    skill = begun(noise=0.2)
    actions = np.array([skill.spoiled(np.full(4, 0.1)) for _ in range(2000)])
    np.testing.assert_allclose(actions.mean(axis=0), 0.1, atol=0.02)
    np.testing.assert_allclose(actions.std(axis=0), 0.2, rtol=0.1)


def test_random_actions_are_held_for_three_to_seven_steps() -> None:
    skill = begun(p_random=0.1)
    actions = [float(skill.spoiled(np.zeros(1))[0]) for _ in range(5000)]
    runs, length = [], 0
    for now, after in zip(actions, [*actions[1:], 0.0], strict=True):
        length += now != 0.0
        if length and now != after:
            runs.append(length)
            length = 0
    assert set(runs) == {3, 4, 5, 6, 7}
    assert 0.25 < np.mean([action != 0.0 for action in actions]) < 0.45


@pytest.mark.parametrize(("knob", "value"), [
    ("bias", -0.01), ("noise", -0.1), ("noise", float("nan")), ("p_random", -0.1), ("p_random", 1.1),
])  # fmt: skip
def test_nonsense_is_refused_by_name(knob, value):
    with pytest.raises(ValueError, match=f"^{knob} {value} "):
        Skill(**{"bias": 0.0, "noise": 0.0, "p_random": 0.0, knob: value})
