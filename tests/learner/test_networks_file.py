"""Critics beside a policy: written, read, refused, and what a learner makes of fewer than it needs."""

import dataclasses
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from porl_robot.errors import UserError
from porl_robot.learner.learner import Learner
from porl_robot.learner.networks_file import CRITICS, load_networks, save_networks
from porl_robot.methods.actor_losses import AdvantageWeighted, DeterministicPolicy
from porl_robot.methods.critic_losses import Expectile, TwoBanks
from porl_robot.methods.critics import action_values, from_checkpoint, random_critics, values, without_actions
from porl_robot.methods.heads import MinOfRandomSubset
from porl_robot.methods.method import CriticTraining, Temperature
from porl_robot.methods.next_actions import SmoothedMode
from porl_robot.methods.schedules import Constant
from porl_robot.methods.targets import Bootstrap, StateValue
from porl_robot.replay.buffer import ReplayBuffer

D, A = 3, 2


@pytest.fixture
def implicit(method_of):
    """A method of critics, targets and a state value."""
    return method_of(target=StateValue(0.9), critic_loss=Expectile(), actor_loss=AdvantageWeighted(1.0, "value"))


@pytest.fixture
def trained(learner_of, implicit):
    learner = learner_of(method=implicit, members=2, hidden=(8, 7))
    for step in range(1, 4):
        learner.block(60, step)
    return learner


@pytest.fixture
def beginning(policy_of, config_of):
    """A learner that begins with found networks."""

    def make(method, found, **config):
        policy, buffer = policy_of(), ReplayBuffer(100, D, A)
        return Learner(method, config_of(**config), policy, buffer, (-1.0, 0.0), 0, found=found)

    return make


def from_file(method, members=None):
    return dataclasses.replace(method, critic=CriticTraining(3e-3, 0.05, "checkpoint", members))


def test_everything_comes_back_as_it_was(tmp_path, trained):
    save_networks(trained, tmp_path)
    found = load_networks(tmp_path, trained.policy())
    assert {"critics", "value", "temperature"} <= set(found)
    for group, tensors in found.items():
        own = trained.state.networks[group]
        assert tensors.keys() == own.keys()
        assert all(torch.equal(tensor, own[name]) and not tensor.requires_grad for name, tensor in tensors.items())


def test_a_learner_goes_on_with_what_was_written(tmp_path, trained, implicit, beginning):
    save_networks(trained, tmp_path)
    learner = beginning(from_file(implicit, 2), load_networks(tmp_path, trained.policy()))
    assert learner.initialised == []
    for group in ("critics", "value"):
        for name, tensor in learner.state.networks[group].items():
            assert torch.equal(tensor, trained.state.networks[group][name]) and tensor.requires_grad
    fresh = beginning(implicit, load_networks(tmp_path, trained.policy()))
    assert "critics" in fresh.initialised and "value" in fresh.initialised
    assert not torch.equal(fresh.state.networks["critics"]["w_out"][0], learner.state.networks["critics"]["w_out"][0])


def test_targets_begin_at_their_leaders(tmp_path, trained, implicit, beginning):
    save_networks(trained, tmp_path)
    networks = beginning(from_file(implicit, 4), load_networks(tmp_path, trained.policy())).state.networks
    assert all(torch.equal(tensor, networks["critics"][name]) for name, tensor in networks["targets"].items())


@pytest.mark.parametrize("members", [1, 3, 5, 10])
def test_missing_critics_are_changed_copies(members):
    found = random_critics(3, D + A, (16, 16), torch.Generator().manual_seed(0))
    made = from_checkpoint(found, members, torch.Generator().manual_seed(1))
    for name, tensor in made.items():
        assert len(tensor) == members
        for e in range(members):
            original = found[name][e % 3]
            if e < 3:
                assert torch.equal(tensor[e], original)
            elif name != "b_out":
                change = (tensor[e] / original - 1.0).flatten()
                assert 0.02 < change.std().item() < 0.08 and change.abs().max() < 0.3
    assert all(len(tensor) == 3 for tensor in found.values())


def test_copies_are_different_from_each_other():
    found = random_critics(1, D + A, (16,), torch.Generator().manual_seed(0))
    made = from_checkpoint(found, 4, torch.Generator().manual_seed(1))
    assert all((made["w0"][i] != made["w0"][j]).all() for i in range(4) for j in range(i))


def test_missing_state_value_is_the_first_critic_at_the_action_zero():
    critics = random_critics(3, D + A, (16, 8), torch.Generator().manual_seed(0), output_bias=-3.0)
    observations = torch.randn(50, D, generator=torch.Generator().manual_seed(1))
    value = without_actions(critics, D)
    assert value["w0"].shape == (1, D, 16) and critics["w0"].shape == (3, D + A, 16)
    expected = action_values(critics, observations, torch.zeros(50, A))[0]
    assert torch.allclose(values(value, observations)[0], expected, atol=1e-6)


def test_what_a_checkpoint_lacks_is_named(tmp_path, learner_of, implicit, beginning):
    plain = learner_of(members=2)
    save_networks(plain, tmp_path)
    found = load_networks(tmp_path, plain.policy())
    assert beginning(from_file(implicit, 2), found).initialised == ["value"]
    assert beginning(from_file(implicit, 10), found).initialised == ["critics", "value"]
    networks = beginning(from_file(implicit, 2), found).state.networks
    observations = torch.randn(9, D)
    expected = action_values(found["critics"], observations, torch.zeros(9, A))[0]
    assert torch.allclose(values(networks["value"], observations)[0], expected, atol=1e-6)


@pytest.mark.parametrize(("given", "expected"), [(None, 0.07), (0.5, 0.5)])
def test_temperature_comes_from_the_checkpoint_unless_it_is_given(method_of, beginning, given, expected):
    found = {
        "critics": random_critics(3, D + A, (8, 8), torch.Generator().manual_seed(0)),
        "temperature": {"log_alpha": torch.tensor(math.log(0.07))},
    }
    method = dataclasses.replace(from_file(method_of()), temperature=Temperature(given, 1e-3))
    alpha = beginning(method, found).state.networks["temperature"]["log_alpha"].exp().item()
    assert alpha == pytest.approx(expected)


def test_the_second_bank_is_the_checkpoint_s_and_the_first_one_fresh(method_of, beginning):
    """Both learn online, each behind its own targets."""
    found = {"critics": random_critics(2, D + A, (8, 8), torch.Generator().manual_seed(0))}
    method = dataclasses.replace(
        from_file(method_of(), 2),
        target=Bootstrap(0.9, SmoothedMode(), MinOfRandomSubset(2)),
        critic_loss=TwoBanks(),
        actor_loss=DeterministicPolicy(blend=Constant(0.5)),
    )
    learner = beginning(method, found)
    networks = learner.state.networks
    assert learner.initialised == ["critics"]
    for name, tensor in found["critics"].items():
        assert torch.equal(networks["offline_critics"][name], tensor)
        assert torch.equal(networks["offline_targets"][name], tensor)
        assert torch.equal(networks["critics"][name], networks["targets"][name])
        assert name == "b_out" or (networks["critics"][name] != tensor).all()
    before = {group: {n: t.detach().clone() for n, t in networks[group].items()} for group in networks}
    rng = torch.Generator().manual_seed(3)
    for i in range(20):
        row = torch.randn(2 * D + A, generator=rng).numpy()
        learner.buffer.add(row[:D], row[D : D + A].clip(-1, 1), row[D + A :], -1.0, i % 5 == 4, False)
    learner.block(20, 1)
    for group in ("critics", "targets", "offline_critics", "offline_targets", "actor", "average"):
        assert any(not torch.equal(tensor, before[group][name]) for name, tensor in networks[group].items()), group


def test_every_reading_makes_the_same_learner(tmp_path, learner_of, method_of, beginning):
    """Copies are drawn, and an optimiser remembers, in the order of the tensors: a file may not give it by chance."""
    save_networks(learner_of(members=2), tmp_path)
    policy = learner_of().policy()
    first, *others = (beginning(from_file(method_of(), 5), load_networks(tmp_path, policy)) for _ in range(6))
    for other in others:
        for (name, tensor), (same, twin) in zip(first.state.tensors(), other.state.tensors(), strict=True):
            assert name == same and torch.equal(tensor, twin), name


def spoiled(change):
    def spoil(path):
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return spoil


def fill_nan(tensors):
    tensors["critics.w1"][1, 0, 0] = float("nan")


def widen(tensors):
    tensors["critics.w0"] = torch.zeros(2, D + A + 1, 8)


def widen_value(tensors):
    tensors["value.w0"] = torch.zeros(1, D + 1, 8)


def lose(tensors):
    del tensors["critics.b_out"]


def lose_critics(tensors):
    for name in [name for name in tensors if name.startswith("critics.")]:
        del tensors[name]


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "no tensors": lambda path: path.write_bytes(b"not a file of tensors"),
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "not finite": spoiled(fill_nan),
    "other spaces": spoiled(widen),
    "a value of other spaces": spoiled(widen_value),
    "a tensor is missing": spoiled(lose),
    "no critics": spoiled(lose_critics),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_line(tmp_path, trained, damage):
    save_networks(trained, tmp_path)
    DAMAGE[damage](tmp_path / CRITICS)
    with pytest.raises(UserError) as caught:
        load_networks(tmp_path, trained.policy())
    message = str(caught.value)
    assert str(tmp_path) in message and CRITICS in message and "\n" not in message


def test_critics_of_another_policy_s_spaces_are_refused(tmp_path, trained):
    save_networks(trained, tmp_path)
    policy = trained.policy()
    other = dataclasses.replace(policy, spec=dataclasses.replace(policy.spec, action_size=A + 2))
    with pytest.raises(UserError, match=rf"critics.w0 .* for {D + A + 2} inputs"):
        load_networks(tmp_path, other)
