"""What one block of updates changes, what it leaves alone, and what it says of itself."""

import dataclasses

import pytest
import torch

from porl_robot.learner.update import Noise, update_block
from porl_robot.replay.buffer import Batch

from .block import coefficients_of, drawn, flat, losses_of, state_of


def test_block_of_four_is_four_critic_updates_and_one_of_the_actor(policy_of):
    losses, rng = losses_of(), torch.Generator().manual_seed(7)
    together, apart = (state_of(policy_of, torch.float64) for _ in range(2))
    batch, noise = drawn(torch.float64, 4, 4, 2, rng)
    update_block(losses, together, batch, noise, coefficients_of(torch.float64), True)
    for k in range(4):
        one = Batch(*(getattr(batch, name)[k : k + 1] for name in Batch.__slots__))
        part = Noise({name: tensor[k : k + 1] for name, tensor in noise.target.items()}, {}, noise.actor_loss)
        update_block(losses, apart, one, part, coefficients_of(torch.float64), k == 3)
    for name, vector in flat(apart).items():
        assert torch.allclose(flat(together)[name], vector, rtol=1e-12, atol=1e-14), name


def snapshot(state):
    return {name: tensor.detach().clone() for name, tensor in state.tensors()}


def changed(state, before):
    """Groups of tensors of which one bit or more has changed."""
    return {name.split(".")[0] for name, tensor in state.tensors() if not torch.equal(tensor, before[name])}


def test_frozen_block_changes_critics_only(policy_of):
    state, rng = state_of(policy_of, torch.float32), torch.Generator().manual_seed(8)
    before = snapshot(state)
    for _ in range(5):
        update_block(losses_of(), state, *drawn(torch.float32, 2, 4, 2, rng), coefficients_of(torch.float32), False)
    assert changed(state, before) == {"critics", "targets", "critics_moments"}


def test_actor_update_does_not_touch_critics_or_reference(policy_of):
    """With their rates at zero nothing else may move them; and no gradient is left anywhere."""
    state, rng = state_of(policy_of, torch.float32), torch.Generator().manual_seed(9)
    before = snapshot(state)
    still = coefficients_of(torch.float32, critic_rate=0.0, tau=0.0)
    for _ in range(5):
        update_block(losses_of(anchored=True), state, *drawn(torch.float32, 2, 4, 2, rng), still, True)
    moments = {"actor_moments", "critics_moments", "temperature_moments"}
    assert changed(state, before) == {"actor", "temperature", "slope"} | moments
    for name in ("observation.mean", "observation.std"):
        assert torch.equal(state.networks["actor"][name], before[f"actor.{name}"])
    assert all(tensor.grad is None for _, tensor in state.tensors())


def test_critics_do_not_learn_from_the_actor_loss(policy_of):
    """Training the actor in a block leaves the critics of that block as they would be without."""
    with_actor, without = (state_of(policy_of, torch.float32) for _ in range(2))
    drawing = drawn(torch.float32, 3, 4, 2, torch.Generator().manual_seed(10))
    update_block(losses_of(), with_actor, *drawing, coefficients_of(torch.float32), True)
    update_block(losses_of(), without, *drawing, coefficients_of(torch.float32), False)
    for group in ("critics", "targets"):
        assert torch.equal(flat(with_actor)[group], flat(without)[group])


def test_actor_and_critics_see_normalised_clipped_observations(policy_of):
    """Shifting and scaling observations and statistics alike changes nothing; nor does going beyond ten deviations."""
    state, other = (state_of(policy_of, torch.float64) for _ in range(2))
    for parameters in (other.networks["actor"], other.networks["reference"]):
        parameters["observation.mean"].mul_(3.0).add_(2.0)
        parameters["observation.std"].mul_(3.0)
    batch, noise = drawn(torch.float64, 2, 4, 2, torch.Generator().manual_seed(11))
    mean, std = (state.networks["actor"][f"observation.{name}"] for name in ("mean", "std"))
    far = batch.observation.clone()
    far[:, 0] = mean + 50.0 * std
    farther = far.clone()
    farther[:, 0] = mean + 900.0 * std
    rest = {name: getattr(batch, name) for name in ("action", "reward", "discount", "returns")}
    first = Batch(observation=far, next_observation=batch.next_observation, **rest)
    second = Batch(observation=3 * farther + 2, next_observation=3 * batch.next_observation + 2, **rest)
    update_block(losses_of(), state, first, noise, coefficients_of(torch.float64), True)
    update_block(losses_of(), other, second, noise, coefficients_of(torch.float64), True)
    for name, vector in flat(state).items():
        assert torch.allclose(vector, flat(other)[name], rtol=1e-9, atol=1e-12), name


def test_temperature_moves_towards_the_target_entropy(policy_of):
    for target_entropy, direction in ((-50.0, -1), (50.0, 1)):
        state = state_of(policy_of, torch.float64)
        losses = dataclasses.replace(losses_of(), target_entropy=target_entropy)
        log_alpha = state.networks["temperature"]["log_alpha"]
        before = log_alpha.item()
        drawing = drawn(torch.float64, 1, 4, 2, torch.Generator().manual_seed(12))
        update_block(losses, state, *drawing, coefficients_of(torch.float64), True)
        assert (log_alpha.item() - before) * direction > 0


def test_metrics_are_scalars_of_what_happened(policy_of):
    state = state_of(policy_of, torch.float64)
    drawing = drawn(torch.float64, 2, 4, 2, torch.Generator().manual_seed(13))
    frozen = update_block(losses_of(), state, *drawing, coefficients_of(torch.float64), False)
    assert set(frozen) == {"critic_loss"}
    alpha = state.networks["temperature"]["log_alpha"].exp().item()
    metrics = update_block(losses_of(), state, *drawing, coefficients_of(torch.float64), True)
    assert {"critic_loss", "actor_loss", "entropy", "alpha"} <= set(metrics)
    assert metrics["alpha"].item() == pytest.approx(alpha)
    for value in metrics.values():
        assert value.shape == () and not value.requires_grad
