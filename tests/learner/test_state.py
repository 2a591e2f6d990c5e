import math

import pytest
import torch

from porl_robot.learner.state import Sizes, initial_state, restart_critics


@pytest.fixture
def state(policy_of):
    policy, reference, rng = policy_of(), policy_of(1), torch.Generator().manual_seed(0)
    made, initialised = initial_state(policy, reference, Sizes(3, (8, 8)), 0.02, rng, torch.device("cpu"))
    assert initialised == ["critics"]
    return made


def test_actor_and_reference_begin_as_their_policies_on_memory_of_their_own(policy_of, state):
    networks = state.networks
    for group, policy in (("actor", policy_of()), ("reference", policy_of(1))):
        for name, array in policy.weights.items():
            assert torch.equal(networks[group][name], torch.tensor(array))
    for name, tensor in networks["actor"].items():
        assert tensor.data_ptr() != networks["reference"][name].data_ptr()
    for name, tensor in networks["critics"].items():
        assert torch.equal(tensor, networks["targets"][name])
        assert tensor.data_ptr() != networks["targets"][name].data_ptr()
    assert networks["temperature"]["log_alpha"].item() == pytest.approx(math.log(0.02))


def test_only_what_is_trained_asks_for_gradients(state):
    asking = {name for name, tensor in state.tensors() if tensor.requires_grad}
    trained = {f"actor.{name}" for name in state.networks["actor"] if not name.startswith("observation.")}
    critics = {f"critics.{name}" for name in state.networks["critics"]}
    assert asking == trained | critics | {"temperature.log_alpha"}


def test_every_tensor_is_listed_once(state):
    names = [name for name, _ in state.tensors()]
    places = [tensor.data_ptr() for _, tensor in state.tensors()]
    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)
    actor, critics = len(state.networks["actor"]), len(state.networks["critics"])
    trained = actor - 2, critics, 1
    networks = 2 * actor + 2 * critics + 1
    assert len(names) == networks + sum(2 * count + 1 for count in trained)


def test_restart_sets_the_level_of_every_member(state):
    restart_critics(state, ["critics"], -7.5)
    critics, targets = state.networks["critics"], state.networks["targets"]
    assert (critics["b_out"] == -7.5).all() and (targets["b_out"] == -7.5).all()
    assert critics["b_out"].requires_grad
