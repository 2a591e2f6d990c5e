"""The NumPy runner and the torch actor against a third implementation, in double precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import distribution, normalise, sample, to_parameters

CLIP, LOW, HIGH = 10.0, -5.0, 1.0


class Script:
    """Stands in for a random generator and hands out the noise it was given."""

    def __init__(self, noise):
        self.noise = noise

    def standard_normal(self, size, dtype):
        assert (size, dtype) == (len(self.noise), np.float32)
        return self.noise.astype(np.float32)


def by_hand(policy, observation):
    """Mean and log standard deviation, in float64, from the description of the weights alone."""
    weights = {name: array.astype(np.float64) for name, array in policy.weights.items()}
    x = (np.asarray(observation, np.float64) - weights["observation.mean"]) / weights["observation.std"]
    x = np.minimum(np.maximum(x, -CLIP), CLIP)
    for i in range(len(policy.spec.hidden)):
        x = x @ weights[f"layers.{i}.weight"] + weights[f"layers.{i}.bias"]
        x[x < 0] = 0.0
    mean = x @ weights["mean.weight"] + weights["mean.bias"]
    head = x @ weights["log_std.weight"] + weights["log_std.bias"]
    return mean, LOW + (HIGH - LOW) / (1.0 + np.exp(-head))


def log_density(mean, log_std, before_tanh):
    """Log-density of tanh(u) by the change of variables, summed over dimensions, in float64."""
    gaussian = torch.distributions.Normal(torch.tensor(mean), torch.tensor(log_std).exp())
    u = torch.tensor(before_tanh)
    slope = torch.distributions.TanhTransform().log_abs_det_jacobian(u, u.tanh())
    return float((gaussian.log_prob(u) - slope).sum())


def in_torch(policy, observations):
    parameters = to_parameters(policy)
    return distribution(parameters, normalise(parameters, torch.tensor(observations)))


inputs = st.tuples(
    st.integers(0, 2**31),
    st.sampled_from([(5, 3, (8, 6)), (1, 1, (4,)), (7, 2, ()), (3, 6, (5, 4, 3))]),
    st.sampled_from([0.1, 1.0, 3.0]),
    st.sampled_from([0.0, 0.5, 5.0, 1e4]),
)


@settings(max_examples=60, deadline=None)
@given(inputs)
def test_runner_and_torch_equal_the_definition(policy_of, drawn):
    seed, (n_obs, n_act, hidden), scale, spread = drawn
    policy = policy_of(n_obs, n_act, hidden, seed, scale)
    rng = np.random.default_rng(seed)
    observation = (spread * rng.normal(size=n_obs)).astype("f4")
    noise = rng.normal(size=n_act).astype("f4")
    mean, log_std = by_hand(policy, observation)
    before = mean + np.exp(log_std) * noise
    expected = log_density(mean, log_std, before)
    close = {"rtol": 1e-5, "atol": 1e-5}
    size = 1e-5 * (1.0 + np.abs(before).sum())  # rounding of u moves the log-density by up to 2 per unit of u

    runner = PolicyRunner(policy)
    np.testing.assert_allclose(runner.mode(observation), np.tanh(mean), **close)
    action, log_prob = runner.sample(observation, Script(noise))
    assert action.dtype == np.float32 and action.shape == (n_act,)
    np.testing.assert_allclose(action, np.tanh(before), **close)
    assert log_prob == pytest.approx(expected, rel=1e-5, abs=size)

    torch_mean, torch_log_std = in_torch(policy, observation[None])
    np.testing.assert_allclose(torch_mean[0], mean, **close)
    np.testing.assert_allclose(torch_log_std[0], log_std, **close)
    torch_action, torch_log_prob = sample(torch_mean, torch_log_std, torch.tensor(noise[None]))
    np.testing.assert_allclose(torch_action[0], action, **close)
    assert torch_log_prob.shape == (1,)
    assert torch_log_prob.item() == pytest.approx(log_prob, rel=1e-5, abs=size)


def test_runner_draws_the_noise_of_its_generator(policy_of):
    policy = policy_of()
    observation = np.ones(5, "f4")
    noise = np.random.default_rng(3).standard_normal(3, dtype=np.float32)
    mean, log_std = by_hand(policy, observation)
    action, _ = PolicyRunner(policy).sample(observation, np.random.default_rng(3))
    np.testing.assert_allclose(action, np.tanh(mean + np.exp(log_std) * noise), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("std", [0.02, 0.3, 0.8])
@pytest.mark.parametrize("mode", [-0.9, 0.0, 0.6])
def test_log_prob_integrates_to_one(mode, std):
    u = torch.linspace(-8, 8, 40001, dtype=torch.float64)[:, None]
    mean = torch.full_like(u, math.atanh(mode))
    log_std = torch.full_like(u, math.log(std))
    action, log_prob = sample(mean, log_std, u)
    assert torch.trapezoid(log_prob.exp(), action[:, 0]).item() == pytest.approx(1.0, abs=1e-4)


def test_runner_log_prob_integrates_to_one(policy_of):
    runner = PolicyRunner(policy_of(4, 1, (8,), seed=1))
    observation = np.zeros(4, "f4")
    points = [runner.sample(observation, Script(np.array([noise]))) for noise in np.linspace(-4, 4, 801)]
    actions = np.array([float(action[0]) for action, _ in points])
    densities = np.exp([log_prob for _, log_prob in points])
    assert abs(actions).max() < 0.9999, "too near the edge for this grid"
    area = ((densities[1:] + densities[:-1]) / 2 * np.diff(actions)).sum()
    assert area == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("u", [-80.0, -20.0, 20.0, 80.0])
def test_log_prob_is_exact_where_tanh_saturates(u):
    """log(1 - tanh(u)^2) tends to 2 log 2 - 2|u|, long after tanh(u) has become 1."""
    mean, log_std = torch.full((1, 1), u), torch.zeros(1, 1)
    _, log_prob = sample(mean, log_std, torch.zeros(1, 1))
    expected = -0.5 * math.log(2 * math.pi) - (2 * math.log(2) - 2 * abs(u))
    assert log_prob.item() == pytest.approx(expected, rel=1e-6)


def test_log_std_stays_in_its_range(policy_of):
    policy = policy_of(scale=1e3)
    observations = np.random.default_rng(0).normal(size=(200, 5)).astype("f4")
    _, log_std = in_torch(policy, observations)
    assert log_std.min() == pytest.approx(LOW) and log_std.max() == pytest.approx(HIGH)
    runner, rng = PolicyRunner(policy), np.random.default_rng(1)
    with np.errstate(over="raise"):
        assert all(np.isfinite(runner.sample(each, rng)[0]).all() for each in observations)


def test_sampling_is_differentiable_in_mean_and_log_std():
    rng = torch.Generator().manual_seed(0)
    mean, log_std, noise = (torch.randn(4, 2, dtype=torch.float64, generator=rng) for _ in range(3))
    mean.requires_grad_()
    log_std.requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: sample(m, s, noise), (mean, log_std))
