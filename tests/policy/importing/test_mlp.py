"""Perceptrons become our actor without a change of function, where they can."""

import dataclasses

import numpy as np
import pytest
import torch

from porl_robot.policy.importing.agreement import mode_difference
from porl_robot.policy.importing.declaration import Network
from porl_robot.policy.importing.mlp import DEFAULT_STD, convert
from porl_robot.policy.importing.statistics import Statistics
from porl_robot.policy.network import distribution, normalise, to_parameters
from porl_robot.policy.spec import STD_FLOOR, PolicySpec

from .conftest import LAYERS


def converted(source, observations):
    mlp, statistics = source.perceptron(observations)
    spec = PolicySpec("task", observations.shape[1], source.action_size, 20.0, mlp.sizes[1:-1])
    return convert(mlp, observations, statistics, source.indices, spec)


def assert_same(source, observations):
    policy = converted(source, observations)
    difference = mode_difference(policy, observations, source.labels(observations))
    assert difference.max.max() < 5e-6 and difference.within(1e-4)
    return policy


@pytest.mark.parametrize("name", ["sac", "td3"])
@pytest.mark.parametrize("normalised", [False, True])
def test_zips_are_converted(source_of, sb3, name, normalised):
    declared = {"normalisation": str(sb3 / "vecnormalize.pkl")} if normalised else {}
    observations = np.random.default_rng(2).normal(0.5, 2, (300, 18)).astype("f4")
    assert_same(source_of(sb3 / f"{name}.zip", (18, 4), **declared), observations)


def test_ppo_is_no_actor_of_ours(source_of, sb3):
    assert source_of(sb3 / "ppo.zip", (18, 4)).perceptron(np.zeros((1, 18), "f4")) is None


def log_stds(policy, observations):
    parameters = to_parameters(policy)
    return distribution(parameters, normalise(parameters, torch.from_numpy(observations)))[1].numpy()


def test_the_log_std_of_sac_is_fitted(source_of, sb3):
    observations = np.random.default_rng(2).normal(0.5, 2, (300, 18)).astype("f4")
    source = source_of(sb3 / "sac.zip", (18, 4))
    mlp = source.raw.mlp
    with torch.no_grad():
        wanted = mlp.log_stds(mlp.features(torch.from_numpy(observations))).numpy()
    given = log_stds(converted(source, observations), observations)
    assert np.abs(given - wanted).mean() < 0.1 * wanted.std() + 0.02


def test_statistics_of_a_state_dict_become_those_of_the_policy(actor, save, source_of, observations, tmp_path):
    network = Network(observation_mean="mean", observation_std="std")
    policy = assert_same(source_of(save(actor, "state_dict", tmp_path), network=network), observations)
    np.testing.assert_allclose(policy.weights["observation.mean"], actor.mean.numpy(), rtol=1e-6)
    np.testing.assert_allclose(policy.weights["observation.std"], actor.std.numpy(), rtol=1e-6)
    np.testing.assert_allclose(np.exp(log_stds(policy, observations)), DEFAULT_STD, rtol=1e-5)


def test_a_vector_of_log_stds_is_kept(actor, bare, source_of, observations, tmp_path):
    torch.save({**actor.state_dict(), "spread": torch.tensor([-2.0, -1.0, 0.5])}, tmp_path / "p.pth")
    source = source_of(tmp_path / "p.pth", network=dataclasses.replace(bare, log_std="spread"))
    given = log_stds(assert_same(source, observations), observations)
    np.testing.assert_allclose(given, np.broadcast_to([-2.0, -1.0, 0.5], given.shape), atol=1e-4)


def test_one_log_std_stands_for_all_actions(actor, bare, source_of, observations, tmp_path):
    torch.save({**actor.state_dict(), "spread": torch.tensor([-1.5])}, tmp_path / "p.pth")
    source = source_of(tmp_path / "p.pth", network=dataclasses.replace(bare, log_std="spread"))
    given = log_stds(assert_same(source, observations), observations)
    assert given.shape[-1] == 3
    np.testing.assert_allclose(given, -1.5, atol=1e-4)


@pytest.mark.parametrize(("clip", "same"), [(1.0, False), (10.0, True), (np.inf, True)])
def test_what_cuts_observations_off_earlier_than_our_actor_is_not_converted(
    actor, bare, save, source_of, observations, tmp_path, clip, same
):
    source = source_of(save(actor, "state_dict", tmp_path), network=bare)
    source.statistics = Statistics(np.zeros(6), np.ones(6), clip)
    assert (source.perceptron(observations) is not None) == same


def test_unchosen_observations_have_no_weight(actor, save, source_of, tmp_path):
    wide = np.random.default_rng(0).normal(size=(100, 9)).astype("f4")
    source = source_of(
        save(actor, "state_dict", tmp_path), (9, 3), observation_indices=[8, 1, 2, 7, 0, 4],
        network=Network(observation_mean="mean", observation_std="std"),
    )  # fmt: skip
    policy = assert_same(source, wide)
    assert not policy.weights["layers.0.weight"][[3, 5, 6]].any()


def test_a_tiny_std_is_floored_without_a_change(actor, bare, observations, source_of, save, tmp_path):
    source = source_of(save(actor, "state_dict", tmp_path), network=bare)
    source.statistics = Statistics(np.zeros(6), np.full(6, STD_FLOOR / 10))
    policy = assert_same(source, (observations * STD_FLOOR / 10).astype("f4"))
    assert (policy.weights["observation.std"] == np.float32(STD_FLOOR)).all()


@pytest.mark.parametrize("kind", ["torchscript", "export"])
@pytest.mark.filterwarnings("ignore")
def test_modules_are_recognised(actor, save, source_of, observations, tmp_path, kind):
    assert_same(source_of(save(actor, kind, tmp_path)), observations)


@pytest.mark.filterwarnings("ignore")
def test_modules_of_another_function_are_not(actor_of, save, source_of, observations, tmp_path):
    assert source_of(save(actor_of(torch.nn.ELU).eval(), "torchscript", tmp_path)).perceptron(observations) is None


@pytest.mark.parametrize(
    "declared",
    [
        {"network": Network(layers=LAYERS, activation="tanh")},
        {"network": Network(layers=LAYERS, output="clip")},
        {"action_low": [-2.0], "action_high": [2.0]},
        {"chunk": 1},
    ],
)
def test_what_our_actor_cannot_express_is_not_converted(actor, bare, save, source_of, observations, tmp_path, declared):
    assert (
        source_of(save(actor, "state_dict", tmp_path), **{"network": bare, **declared}).perceptron(observations) is None
    )


def test_policies_differ_by_their_own_numbers(actor, bare, save, source_of, observations, tmp_path):
    source = source_of(save(actor, "state_dict", tmp_path), network=bare)
    policy = converted(source, observations)
    other = dataclasses.replace(policy, weights={**policy.weights, "mean.bias": policy.weights["mean.bias"] + 1})
    difference = mode_difference(other, observations, source.labels(observations))
    assert (difference.mean > 0.05).all() and not difference.within(0.05)
    assert (difference.mean <= difference.quantile_95).all() and (difference.quantile_95 <= difference.max).all()
