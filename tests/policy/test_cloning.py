import dataclasses

import numpy as np
import pytest
import torch

from porl_robot.policy.cloning import ACTION_CLIP, CloningConfig, clone
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import distribution, normalise, to_parameters
from porl_robot.policy.spec import PolicySpec

SPEC = PolicySpec("toy", 2, 1, 20.0, (32,))
CONFIG = CloningConfig(hidden=(32,), batch_size=64, learning_rate=3e-3, validation_share=0.2, validate_every=50)


def teacher(observations):
    return np.tanh(np.sin(observations[:, :1]) - 0.5 * observations[:, 1:2])


def episodes(count=10, seed=0):
    """Observations, actions of the teacher, and the ends of episodes of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 60, count)
    observations = rng.normal(size=(lengths.sum(), 2)).astype("f4") * 1.5 + rng.normal(size=2).astype("f4")
    return observations, teacher(observations).astype("f4"), np.cumsum(lengths)


def slices(ends):
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def split_by_statistics(cloned, observations, ends, held_out):
    """The held-out episodes, found from the observation mean, which only the training rows decide."""
    mean = cloned.policy.weights["observation.mean"]
    matches = []
    for episode, rows in enumerate(slices(ends)):
        rest = np.delete(observations, np.r_[rows], axis=0)
        if np.allclose(rest.mean(0), mean, atol=1e-5):
            matches.append(episode)
    assert len(matches) == held_out, "held out is something other than whole episodes"
    return matches


def loss_of(policy, observations, actions):
    """Negative log-likelihood per step before the tanh, by torch.distributions."""
    parameters = to_parameters(policy)
    mean, log_std = distribution(parameters, normalise(parameters, torch.tensor(observations)))
    before = torch.atanh(torch.tensor(np.clip(actions, -ACTION_CLIP, ACTION_CLIP)))
    return -torch.distributions.Normal(mean, log_std.exp()).log_prob(before).sum(-1).mean().item()


def test_clone_acts_as_its_teacher():
    observations, actions, ends = episodes(20)
    config = dataclasses.replace(CONFIG, learning_rate=1e-2)
    cloned = clone(observations, actions, ends, SPEC, config, steps=500, seed=0)
    fresh = observations.mean(0) + np.random.default_rng(1).uniform(-2, 2, (200, 2)).astype("f4")
    runner = PolicyRunner(cloned.policy)
    errors = np.array([runner.mode(observation) for observation in fresh]) - teacher(fresh)
    assert np.sqrt(np.mean(errors**2)) < 0.05
    assert cloned.steps == cloned.kept_step == 500
    assert cloned.policy.spec == SPEC


def test_same_seed_same_policy_other_seed_another():
    data = episodes()
    first, again, other = (clone(*data, SPEC, CONFIG, steps=60, seed=s) for s in (4, 4, 5))
    assert first.policy.hash == again.policy.hash != other.policy.hash
    assert (first.train_loss, first.validation_loss) == (again.train_loss, again.validation_loss)


def test_statistics_come_from_the_training_episodes_with_a_floor():
    observations, actions, ends = episodes(5)
    observations[:, 1] = 0.75
    cloned = clone(observations, actions, ends, SPEC, CONFIG, steps=1, seed=0)
    (held_out,) = split_by_statistics(cloned, observations, ends, held_out=1)
    train = np.delete(observations, np.r_[slices(ends)[held_out]], axis=0)
    np.testing.assert_allclose(cloned.policy.weights["observation.std"], [train[:, 0].std(ddof=1), 1e-2], rtol=1e-4)


@pytest.mark.parametrize(("share", "count"), [(0.2, 1), (0.0, 1), (0.5, 2), (1.0, 4)])
def test_held_out_are_whole_episodes_at_least_one_never_all(share, count):
    """Observations are one-hot in their episode, so that the observation mean tells which ones were trained on."""
    lengths = np.array([3, 9, 4, 7, 5])
    observations = np.repeat(np.eye(5, dtype="f4"), lengths, axis=0)
    actions = np.zeros((len(observations), 1), "f4")
    config = dataclasses.replace(CONFIG, validation_share=share)
    spec = dataclasses.replace(SPEC, observation_size=5)
    cloned = clone(observations, actions, np.cumsum(lengths), spec, config, steps=1, seed=3)
    mean = cloned.policy.weights["observation.mean"]
    trained = mean > 0
    assert (~trained).sum() == count
    np.testing.assert_allclose(mean[trained], lengths[trained] / lengths[trained].sum(), rtol=1e-5)


def test_reported_validation_loss_is_that_of_the_held_out_episode():
    observations, actions, ends = episodes(5)
    seen = []
    cloned = clone(
        observations, actions, ends, SPEC, CONFIG, steps=120, seed=0, progress=lambda *values: seen.append(values)
    )
    (held_out,) = split_by_statistics(cloned, observations, ends, held_out=1)
    rows = slices(ends)[held_out]
    assert cloned.validation_loss == pytest.approx(loss_of(cloned.policy, observations[rows], actions[rows]), rel=1e-4)
    assert [step for step, _, _ in seen] == [50, 100, 120]
    assert seen[-1][1:] == (cloned.train_loss, cloned.validation_loss)


def noise_only():
    """Nothing to learn: every step of fitting makes the held-out episode less likely, after a few first ones."""
    rng = np.random.default_rng(2)
    actions = rng.uniform(-0.9, 0.9, (60, 1)).astype("f4")
    return rng.normal(size=(60, 2)).astype("f4"), actions, np.array([12, 24, 36, 48, 60])


def test_patience_stops_and_keeps_the_best():
    observations, actions, ends = noise_only()
    config = dataclasses.replace(CONFIG, learning_rate=1e-2, validate_every=20, patience=100)
    seen = []
    cloned = clone(observations, actions, ends, SPEC, config, 5000, seed=0, progress=lambda *v: seen.append(v))
    losses = {step: validation for step, _, validation in seen}
    best = min(losses, key=losses.get)
    assert cloned.kept_step == best
    assert cloned.validation_loss == losses[best]
    assert cloned.steps == max(losses) == best + 100
    (held_out,) = split_by_statistics(cloned, observations, ends, held_out=1)
    rows = slices(ends)[held_out]
    assert loss_of(cloned.policy, observations[rows], actions[rows]) == pytest.approx(losses[best], rel=1e-4)
    assert losses[max(losses)] > losses[best] + 0.05


def test_without_patience_the_last_policy_is_kept():
    observations, actions, ends = noise_only()
    config = dataclasses.replace(CONFIG, learning_rate=1e-2, validate_every=20)
    seen = []
    cloned = clone(observations, actions, ends, SPEC, config, 300, seed=0, progress=lambda *v: seen.append(v))
    assert cloned.steps == cloned.kept_step == 300
    assert cloned.validation_loss == seen[-1][2] > min(validation for _, _, validation in seen)


def test_patience_shorter_than_the_validation_interval_is_refused_or_harmless():
    try:
        config = dataclasses.replace(CONFIG, validate_every=50, patience=20)
    except ValueError as error:
        assert "patience" in str(error)
        return
    cloned = clone(*episodes(), SPEC, config, steps=200, seed=0)
    assert cloned.kept_step >= 50
    assert np.isfinite(cloned.validation_loss)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"validate_every": 0},
        {"patience": 0},
        {"validation_share": 1.5},
        {"validation_share": -0.1},
        {"hidden": (0,)},
    ],
)
def test_recipe_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CloningConfig(**wrong)


def test_saturated_actions_are_clamped():
    observations, _, ends = episodes(6)
    config = dataclasses.replace(CONFIG, learning_rate=2e-2)
    cloned = clone(observations, np.ones((len(observations), 1), "f4"), ends, SPEC, config, steps=300, seed=0)
    assert np.isfinite(cloned.train_loss) and np.isfinite(cloned.validation_loss)
    assert PolicyRunner(cloned.policy).mode(observations[0])[0] == pytest.approx(ACTION_CLIP, abs=0.02)
