import math

import pytest
import torch

from porl_robot.learner.state import initial_state, restart_critics


@pytest.fixture
def state(policy_of):
    return initial_state(policy_of(), 3, (8, 8), 0.02, torch.Generator().manual_seed(0), torch.device("cpu"))


def test_actor_and_reference_begin_as_the_policy_on_memory_of_their_own(policy_of, state):
    policy = policy_of()
    for name, array in policy.weights.items():
        assert torch.equal(state.actor[name], torch.tensor(array))
        assert torch.equal(state.reference[name], torch.tensor(array))
        assert state.actor[name].data_ptr() != state.reference[name].data_ptr()
    for name, tensor in state.critics.items():
        assert torch.equal(tensor, state.targets[name])
        assert tensor.data_ptr() != state.targets[name].data_ptr()
    assert state.log_alpha.item() == pytest.approx(math.log(0.02))


def test_only_what_is_trained_asks_for_gradients(state):
    asking = {name for name, tensor in state.tensors() if tensor.requires_grad}
    trained = {f"actor.{name}" for name in state.actor if not name.startswith("observation.")}
    assert asking == trained | {f"critics.{name}" for name in state.critics} | {"log_alpha"}


def test_every_tensor_is_listed_once(state):
    names = [name for name, _ in state.tensors()]
    places = [tensor.data_ptr() for _, tensor in state.tensors()]
    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)
    trained = len(state.actor) - 2, len(state.critics), 1
    networks = 2 * len(state.actor) + 2 * len(state.critics) + 1
    assert len(names) == networks + sum(2 * count + 1 for count in trained)


def test_restart_sets_the_level_of_every_member(state):
    restart_critics(state, -7.5)
    assert (state.critics["b_out"] == -7.5).all() and (state.targets["b_out"] == -7.5).all()
    assert state.critics["b_out"].requires_grad
