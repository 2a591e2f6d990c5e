"""The update: a pure function of its tensors, in the order of the equations.

All randomness comes in as arguments and nothing is decided in Python between the steps, so that the same function
runs eagerly, compiled, and in tests against a plain reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.learner.optimizer import adam_step, follow
from porl_robot.learner.state import LearnerState
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.critics import action_values
from porl_robot.methods.targets import MinOfRandomSubset
from porl_robot.policy.network import distribution, normalise, sample, trainable
from porl_robot.replay.buffer import Batch


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of a method that an update consists of, with what they need to know of the task.

    Attributes:
        value_bounds: smallest and largest return of the task.
        target_entropy: [nats].
    """

    target: MinOfRandomSubset
    critic_loss: TemporalDifference
    actor_loss: SoftActorCritic
    value_bounds: tuple[float, float]
    target_entropy: float


@dataclass(frozen=True, slots=True)
class Noise:
    """Randomness of one block.

    Attributes:
        next_action: standard normal (K, B, A). subsets: indices of target critics (K, M).
        action: standard normal (B, A).
    """

    next_action: Tensor
    subsets: Tensor
    action: Tensor


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Scalars (0-dimensional tensors) that may differ from block to block."""

    critic_rate: Tensor
    tau: Tensor
    actor_rate: Tensor
    alpha_rate: Tensor
    anchor: Tensor


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
    observation = normalise(state.actor, batch.observation)
    next_observation = normalise(state.actor, batch.next_observation)
    with torch.no_grad():
        alpha = state.log_alpha.exp()
        mean, log_std = distribution(state.actor, next_observation.flatten(0, 1))
        next_action, log_prob = sample(mean, log_std, noise.next_action.flatten(0, 1))
        next_action = next_action.view_as(noise.next_action)
        entropy_cost = (alpha * log_prob).view(batch.reward.shape)
    updates = batch.reward.shape[0]
    metrics: Metrics = {}
    for k in range(updates):
        with torch.no_grad():
            target = losses.target(
                state.targets,
                noise.subsets[k],
                batch.reward[k],
                batch.not_terminated[k],
                next_observation[k],
                next_action[k],
                entropy_cost[k],
                losses.value_bounds,
            )
        values = action_values(state.critics, observation[k], batch.action[k])
        loss = losses.critic_loss(values, target)
        weights = list(state.critics.values())
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            adam_step(weights, gradients, state.critic_moments, coefficients.critic_rate)
            follow(list(state.targets.values()), weights, coefficients.tau)
        metrics["critic_loss"] = loss.detach()
    if train_actor:
        metrics |= _actor_update(losses, state, observation[-1], noise.action, coefficients)
    return metrics


def _actor_update(
    losses: Losses,
    state: LearnerState,
    observation: Tensor,
    noise: Tensor,
    coefficients: Coefficients,
) -> Metrics:
    alpha = state.log_alpha.exp().detach()
    mean, log_std = distribution(state.actor, observation)
    action, log_prob = sample(mean, log_std, noise)
    loss = losses.actor_loss(action_values(state.critics, observation, action), log_prob, alpha)
    if losses.actor_loss.anchor is not None:
        with torch.no_grad():
            reference_mean, _ = distribution(state.reference, observation)
        loss = loss + coefficients.anchor * losses.actor_loss.anchor(mean, reference_mean).mean()
    weights = list(trainable(state.actor).values())
    gradients = torch.autograd.grad(loss, weights)
    entropy = -log_prob.detach().mean()
    with torch.no_grad():
        adam_step(weights, gradients, state.actor_moments, coefficients.actor_rate)
        # d/d(log alpha) of alpha * (entropy - target entropy).
        gradient = state.log_alpha.exp() * (entropy - losses.target_entropy)
        adam_step([state.log_alpha], (gradient,), state.alpha_moments, coefficients.alpha_rate)
    return {"actor_loss": loss.detach(), "entropy": entropy, "alpha": alpha}
