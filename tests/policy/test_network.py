import math

import numpy as np
import pytest
import torch

from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import (
    distribution,
    log_std_head,
    normalise,
    random_parameters,
    random_policy,
    to_parameters,
    to_policy,
    trainable,
    with_constant_std,
)
from porl_robot.policy.spec import STD_FLOOR, PolicySpec

SPEC = PolicySpec("arm_reach", 5, 3, 20.0, (64, 32))


def test_parameters_and_policy_are_copies_of_each_other(policy_of):
    policy = policy_of()
    parameters = to_parameters(policy)
    again = to_policy(parameters, policy.spec)
    assert again.hash == policy.hash
    before = policy.weights["mean.bias"].copy()
    with torch.no_grad():
        parameters["mean.bias"].add_(1.0)
    np.testing.assert_array_equal(policy.weights["mean.bias"], before)
    np.testing.assert_array_equal(again.weights["mean.bias"], before)


def test_policy_made_from_parameters_cannot_be_written(policy_of):
    policy = to_policy(to_parameters(policy_of()), policy_of().spec)
    for array in policy.weights.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_statistics_are_all_that_is_not_trainable(policy_of):
    parameters = to_parameters(policy_of())
    assert parameters.keys() - trainable(parameters).keys() == {"observation.mean", "observation.std"}
    assert all(tensor is parameters[name] for name, tensor in trainable(parameters).items())


def test_random_actor_follows_its_seed_and_its_bounds():
    first, again, other = (random_parameters(SPEC, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    for name, tensor in first.items():
        assert torch.equal(tensor, again[name])
        if not name.startswith("observation."):
            assert not torch.equal(tensor, other[name])
    for layer, fan_in in (("layers.0", 5), ("layers.1", 64), ("mean", 32), ("log_std", 32)):
        weight = first[f"{layer}.weight"]
        assert weight.shape[0] == fan_in
        assert 0.8 / math.sqrt(fan_in) < weight.abs().max() <= 1 / math.sqrt(fan_in)
        assert first[f"{layer}.bias"].abs().max() <= 1 / math.sqrt(fan_in)
    assert torch.equal(first["observation.mean"], torch.zeros(5))
    assert torch.equal(first["observation.std"], torch.ones(5))


def test_a_random_actor_can_take_its_statistics_from_observations():
    observations = torch.randn(50, 5, generator=torch.Generator().manual_seed(0)) * 3.0 + 1.0
    observations[:, 4] = 7.0
    plain, seeing = random_policy(SPEC, 1), random_policy(SPEC, 1, observations)
    np.testing.assert_array_equal(seeing.weights["observation.mean"], observations.mean(0))
    np.testing.assert_array_equal(seeing.weights["observation.std"][:4], observations[:, :4].std(0))
    assert seeing.weights["observation.std"][4] == np.float32(STD_FLOOR)
    for name in trainable(to_parameters(plain)):
        np.testing.assert_array_equal(seeing.weights[name], plain.weights[name])


def test_normalising_clips_at_ten_standard_deviations():
    parameters = {"observation.mean": torch.tensor([1.0, 0.0]), "observation.std": torch.tensor([2.0, 0.01])}
    observations = torch.tensor([[3.0, 0.05], [-99.0, 99.0]])
    expected = torch.tensor([[1.0, 5.0], [-10.0, 10.0]])
    assert torch.allclose(normalise(parameters, observations), expected)


@pytest.mark.parametrize("std", [0.0068, 0.02, 0.3, 1.0, 2.7])
def test_constant_std_is_the_std_that_was_asked_for(policy_of, std):
    parameters = to_parameters(with_constant_std(policy_of(), std))
    _, log_std = distribution(parameters, torch.randn(20, 5))
    assert torch.allclose(log_std.exp(), torch.full((20, 3), std), rtol=1e-5)


def test_every_dimension_can_have_a_constant_std_of_its_own(policy_of):
    std = np.array([0.02, 0.3, 1.0])
    parameters = to_parameters(with_constant_std(policy_of(), std))
    _, log_std = distribution(parameters, torch.randn(20, 5))
    assert torch.allclose(log_std.exp(), torch.tensor(std, dtype=torch.float32).expand(20, 3), rtol=1e-5)


def test_constant_std_keeps_the_mode_bit_for_bit(policy_of):
    rng = np.random.default_rng(0)
    for seed in range(10):
        policy = policy_of(seed=seed, hidden=(33, 17))
        before = {name: array.copy() for name, array in policy.weights.items()}
        changed = with_constant_std(policy, 0.3)
        for _ in range(20):
            observation = rng.normal(size=5).astype("f4")
            np.testing.assert_array_equal(
                PolicyRunner(changed).mode(observation), PolicyRunner(policy).mode(observation)
            )
        assert changed.spec == policy.spec
        for name, array in before.items():
            np.testing.assert_array_equal(policy.weights[name], array)


@pytest.mark.parametrize("std", [math.exp(-5), 0.001, math.e, 10.0])
def test_std_outside_the_range_of_the_head_is_refused(std):
    with pytest.raises(ValueError, match=r"outside \(0\.0067, 2\.7183\)"):
        log_std_head(std)
