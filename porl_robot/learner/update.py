"""The update: a pure function of its tensors, in the order of the equations.

All randomness comes in as arguments and nothing is decided in Python between the steps, so that the same function
runs eagerly, compiled, and in tests against a plain reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.learner.optimizer import adam_step, follow
from porl_robot.learner.state import LearnerState, trained
from porl_robot.methods.actor_losses import ActorLoss
from porl_robot.methods.critic_losses import CriticLoss
from porl_robot.methods.networks import FOLLOWERS, Context, Tensors
from porl_robot.methods.targets import Target
from porl_robot.policy.network import normalise
from porl_robot.replay.buffer import Batch


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of a method that an update consists of, with what they need to know of the task.

    Attributes:
        value_bounds: smallest and largest return of the task.
        target_entropy: [nats].
    """

    target: Target
    critic_loss: CriticLoss
    actor_loss: ActorLoss
    value_bounds: tuple[float, float]
    target_entropy: float


@dataclass(frozen=True, slots=True)
class Noise:
    """Randomness of one block: for K targets and K critic losses, leading dimension K, and for one actor loss."""

    target: Tensors
    critic_loss: Tensors
    actor_loss: Tensors


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Scalars (0-dimensional tensors) that may differ from block to block; `weights` are those of the actor loss."""

    critic_rate: Tensor
    tau: Tensor
    actor_rate: Tensor
    alpha_rate: Tensor
    weights: Tensors


Metrics = dict[str, Tensor]


def update_block(
    losses: Losses,
    state: LearnerState,
    batch: Batch,
    noise: Noise,
    coefficients: Coefficients,
    train_actor: bool,
) -> Metrics:
    """K critic updates, each on its own B rows; then, with `train_actor`, one actor and one temperature update.

    The batch has leading shape (K, B); actor and temperature see its last B rows. Changes `state` in place.

    Returns:
        scalar tensors.
    """
    networks = state.networks
    context = Context(losses.value_bounds, coefficients.weights)
    batch = normalised(state, batch)
    metrics: Metrics = {}
    for k in range(batch.reward.shape[0]):
        rows = batch.at(k)
        drawn = {name: tensor[k] for name, tensor in noise.target.items()}
        with torch.no_grad():
            targets = {
                bank: losses.target(networks, _FOLLOWS[bank], rows, drawn, context) for bank in losses.critic_loss.banks
            }
        drawn = {name: tensor[k] for name, tensor in noise.critic_loss.items()}
        loss = losses.critic_loss(networks, rows, targets, drawn, context)
        step_groups(state, losses.critic_loss.trains, loss, coefficients.critic_rate)
        _follow(state, losses.critic_loss.banks, coefficients.tau)
        metrics["critic_loss"] = loss.detach()
    if train_actor:
        metrics |= _actor_update(losses, state, rows, noise.actor_loss, coefficients, context)
        _follow(state, ("actor",), coefficients.tau)
    return metrics


def normalised(state: LearnerState, batch: Batch) -> Batch:
    """The batch with observations as actor and critics see them."""
    actor = state.networks["actor"]
    observation, following = normalise(actor, batch.observation), normalise(actor, batch.next_observation)
    return Batch(observation, batch.action, following, batch.reward, batch.discount, batch.returns)


_FOLLOWS = {leader: follower for follower, leader in FOLLOWERS.items()}


def step_groups(state: LearnerState, groups: tuple[str, ...], loss: Tensor, rate: Tensor) -> None:
    """One step of Adam for each of the groups."""
    weights = {group: list(trained(group, state.networks).values()) for group in groups}
    everything = [weight for each in weights.values() for weight in each]
    gradients = torch.autograd.grad(loss, everything, allow_unused=True, materialize_grads=True)
    begin = 0
    with torch.no_grad():
        for group, each in weights.items():
            adam_step(each, gradients[begin : begin + len(each)], state.moments[group], rate)
            begin += len(each)


def _follow(state: LearnerState, leaders: tuple[str, ...], tau: Tensor) -> None:
    """Moves the averages of these groups, where there are any."""
    with torch.no_grad():
        for leader in leaders:
            follower = _FOLLOWS[leader]
            if follower in state.networks:
                ahead = trained(leader, state.networks)
                behind = [state.networks[follower][name] for name in ahead]
                follow(behind, list(ahead.values()), tau)


def _actor_update(
    losses: Losses,
    state: LearnerState,
    rows: Batch,
    noise: Tensors,
    coefficients: Coefficients,
    context: Context,
) -> Metrics:
    terms = losses.actor_loss(state.networks, rows, noise, context)
    step_groups(state, losses.actor_loss.trains, terms.loss, coefficients.actor_rate)
    if terms.slope is not None:
        state.networks["slope"]["rms"].copy_(terms.slope)
    metrics = {"actor_loss": terms.loss.detach(), "actor_value": terms.value}
    if terms.log_prob is None:
        return metrics
    log_alpha = state.networks["temperature"]["log_alpha"]
    with torch.no_grad():
        entropy = -terms.log_prob.mean()
        alpha = log_alpha.exp()
        # d/d(log alpha) of alpha * (entropy - target entropy).
        gradient = alpha * (entropy - losses.target_entropy)
        adam_step([log_alpha], (gradient,), state.moments["temperature"], coefficients.alpha_rate)
    return metrics | {"entropy": entropy, "alpha": alpha}
