"""Curriculum cloning: which episodes are picked when, and which policy is kept."""

import dataclasses

import numpy as np
import pytest
import torch

from porl_robot.policy.curriculum import CurriculumConfig, Pool, clone_by_curriculum
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import distribution, normalise, to_parameters
from porl_robot.policy.spec import PolicySpec

LENGTH = 12
SPEC = PolicySpec("toy", 2, 1, 20.0, (16,))
CONFIG = CurriculumConfig((16,), 32, 3e-3, steps=60, picked=0.25, steps_per_stage=30, filter=0.5, stages_per_epoch=1)


def demonstrations(kinds, seed=0):
    """Episodes that do `kind` times the first observation, at a reward of `kind` per step."""
    rng = np.random.default_rng(seed)
    observations = rng.normal(size=(len(kinds) * LENGTH, 2)).astype("f4")
    factors = np.repeat(np.array(kinds, "f4"), LENGTH)
    actions = np.clip(0.4 * factors * observations[:, 0], -0.95, 0.95)[:, None].astype("f4")
    return observations, actions, factors, LENGTH * np.arange(1, len(kinds) + 1)


def cloned(kinds, config=CONFIG, seed=0, assess=lambda policy: 0.0, left=None):
    def progress(step, loss, remaining):
        (left if left is not None else []).append(remaining)

    return clone_by_curriculum(*demonstrations(kinds), SPEC, config, seed, assess, progress)


def scores_by_hand(policy, data):
    """The 4.55 % quantile of each episode's log-likelihood before the tanh."""
    observations, actions, _, ends = data
    parameters = to_parameters(policy)
    mean, log_std = distribution(parameters, normalise(parameters, torch.tensor(observations)))
    density = torch.distributions.Normal(mean, log_std.exp()).log_prob(torch.atanh(torch.tensor(actions))).sum(1)
    return [np.quantile(density.numpy()[end - LENGTH : end], 1 - 0.9545) for end in ends]


def recorded(monkeypatch):
    """Every pick of the pool, and what was there to pick from."""
    picks, original = [], Pool.pick

    def pick(pool, scores, count):
        available = list(pool.left)
        picks.append((available, scores, original(pool, scores, count)))
        return picks[-1][2]

    monkeypatch.setattr(Pool, "pick", pick)
    return picks


def test_the_nearest_come_first(monkeypatch):
    """Six episodes do one thing, two another: the odd ones come last."""
    picks = recorded(monkeypatch)
    kinds = [1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0]
    cloned(kinds, dataclasses.replace(CONFIG, stages_per_epoch=99, steps=400))
    order = [episode for _, _, picked in picks for episode in picked]
    assert sorted(order) == list(range(8)), "every episode once"
    assert set(order[-2:]) == {2, 6}


def test_scores_are_quantiles_of_the_likelihood(monkeypatch):
    picks, kinds = recorded(monkeypatch), [1.0, 0.5, -1.0, 0.8]
    nothing = dataclasses.replace(CONFIG, steps=1, steps_per_stage=1, learning_rate=1e-12)
    policy = cloned(kinds, nothing).policy
    available, scores, picked = picks[0]
    expected = scores_by_hand(policy, demonstrations(kinds))
    gaps = np.subtract.outer(expected, expected) - np.subtract.outer(scores, scores)
    assert available == [0, 1, 2, 3] and np.abs(gaps).max() < 1e-3, "up to a constant"
    assert picked == [int(np.argmax(expected))]


def test_pool_gives_the_highest_scores_and_forgets_them():
    pool = Pool(np.array([1.0, 2.0, 3.0, 4.0]), 0.9)
    assert pool.pick(np.array([0.1, 0.4, 0.3, 0.2]), 2) == [1, 2] and pool.left == [0, 3]
    assert pool.pick(np.array([0.1, 0.4]), 2) == [3, 0] and pool.left == []


def test_the_bar_moves_towards_the_worst_pick_and_drops_what_is_below():
    pool = Pool(np.array([-10.0, -6.0, -2.0, -5.0, -9.0]), 0.5)
    assert pool.bar == -10.0
    pool.pick(np.array([0.0, 0.0, 1.0, 0.5, 0.0]), 2)
    pool.raise_bar([2, 3])
    assert pool.bar == pytest.approx(0.5 * -10.0 + 0.5 * -5.0)
    assert pool.left == [1]
    assert Pool(np.array([3.0, 8.0]), 0.9).bar == 0.0


def test_what_is_below_the_bar_is_never_learned_from(monkeypatch):
    """The worst episodes are the odd ones: they wait, the bar rises meanwhile, and they are dropped."""
    picks, left = recorded(monkeypatch), []
    kinds = [1.0, 1.0, 1.0, -3.0, 1.0, 1.0, 1.0, -3.0]
    cloned(kinds, dataclasses.replace(CONFIG, filter=0.2, picked=0.1, steps=400), left=left)
    order = [episode for _, _, picked in picks for episode in picked]
    assert sorted(order) == [0, 1, 2, 4, 5, 6] and len(set(order)) == len(order)


def test_it_ends_with_an_empty_pool_and_counts_its_steps(monkeypatch):
    picks, left = recorded(monkeypatch), []
    trained = cloned([1.0] * 7, left=left)
    assert [len(picked) for _, _, picked in picks] == [2, 2, 2, 1] and left == [5, 3, 1, 0]
    assert trained.steps == 60 + 4 * 30


def test_it_is_repeatable():
    one, same, other = (cloned([1.0, 0.5, -1.0, 0.8], seed=seed).policy for seed in (3, 3, 4))
    assert one.hash == same.hash != other.hash


def test_the_best_assessed_policy_is_kept():
    seen, marks = [], iter([0.1, 0.7, 0.3, 0.7])

    def assess(policy):
        seen.append(policy)
        return next(marks)

    trained = cloned([1.0] * 8, assess=assess)
    assert len(seen) == 4 and len({policy.hash for policy in seen}) == 4
    assert trained.policy.hash == seen[1].hash
    assert (trained.kept_step, trained.steps) == (60 + 2 * 30, 60 + 4 * 30)


def test_a_curriculum_leaves_the_bad_half_out():
    """Cloning everything gives the mean of good and bad; the curriculum ends near the good."""
    kinds = [2.0] * 6 + [-2.0] * 2
    data = demonstrations([2.0], seed=9)

    def gap(policy):
        runner = PolicyRunner(policy)
        return np.mean([abs(runner.mode(o) - a).item() for o, a in zip(data[0], data[1], strict=True)])

    config = dataclasses.replace(CONFIG, steps=300, steps_per_stage=200, filter=0.1)
    curriculum_gap = gap(cloned(kinds, config, assess=lambda policy: -gap(policy)).policy)
    everything = gap(cloned(kinds, dataclasses.replace(config, picked=0.99, stages_per_epoch=99)).policy)
    assert curriculum_gap < 0.7 * everything


def test_log_std_is_the_given_constant():
    policy = cloned([1.0, 0.5], dataclasses.replace(CONFIG, std=0.7)).policy
    parameters = to_parameters(policy)
    _, log_std = distribution(parameters, torch.randn(50, 2))
    assert torch.allclose(log_std.exp(), torch.tensor(0.7), rtol=1e-4)


@pytest.mark.parametrize(
    "values",
    [
        {"picked": 0.0},
        {"filter": 1.0},
        {"batch_size": 0},
        {"steps_per_stage": 0},
        {"stages_per_epoch": 0},
        {"learning_rate": 0.0},
        {"hidden": ()},
        {"std": 9.0},
        {"steps": -1},
    ],
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        CurriculumConfig(**values)
