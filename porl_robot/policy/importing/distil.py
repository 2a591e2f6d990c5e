"""Distilling a source into the actor: regression on its actions, wherever its and the actor's own episodes lead.

Relabelling its own episodes is DAgger (Ross, Gordon and Bagnell 2011, arXiv 1011.0686).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.cloning import ACTION_CLIP
from porl_robot.policy.descent import Descent
from porl_robot.policy.network import (
    distribution,
    normalise,
    to_parameters,
    to_policy,
    trainable,
    with_constant_std,
)
from porl_robot.policy.spec import Policy

STD_RANGE = (0.02, 1.0)
"""Bounds of the standard deviation that is taken from residuals (before the tanh)."""


NEIGHBOURS, SPREAD = 7, 0.5
"""A source is also asked at so many neighbours of each recorded observation, this many standard deviations away:
answers cost less than episodes. On a cloned arm_reach policy and 200 episodes they cut the 95 % mode difference from
.16 to .11."""


@dataclass(frozen=True, slots=True)
class Regression:
    """How to fit.

    Attributes:
        steps: gradient steps of one fit.
        batch_size: rows per step.
        learning_rate: of Adam, decayed linearly to zero over a fit.
    """

    steps: int
    batch_size: int = 256
    learning_rate: float = 2e-3


def neighbours(observations: FloatArray, seed: int) -> FloatArray:
    """Observations (`NEIGHBOURS` N, D) around `observations` (N, D)."""
    noise = np.random.default_rng(seed).standard_normal((NEIGHBOURS, *observations.shape), dtype=np.float32)
    around: FloatArray = observations + SPREAD * observations.std(0) * noise
    return around.reshape(-1, observations.shape[1])


def fit(
    policy: Policy,
    observations: FloatArray,
    actions: FloatArray,
    recipe: Regression,
    seed: int,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> Policy:
    """The policy after more regression on `actions` (N, A) at `observations` (N, D). Deterministic given `seed`.

    The loss is the squared error of the action plus a Huber loss before the tanh. The first is what is to be small,
    but where both sides saturate it has no gradient; the second has, and would alone spend the fit on differences that
    the tanh hides. Before the tanh, actions beyond +-.99 ask for at least that.
    """
    rng = torch.Generator().manual_seed(seed)
    parameters = to_parameters(policy)
    inputs = normalise(parameters, torch.tensor(observations, dtype=torch.float32))
    targets = torch.tensor(actions, dtype=torch.float32)
    descent = Descent(trainable(parameters).values(), recipe.learning_rate, recipe.steps)
    for step in range(1, recipe.steps + 1):
        rows = torch.randint(len(inputs), (recipe.batch_size,), generator=rng)
        mean, _ = distribution(parameters, inputs[rows])
        loss = _loss(mean, targets[rows])
        descent.step(loss)
        if step % 100 == 0 or step == recipe.steps:
            progress(step, loss.item())
    return to_policy(parameters, policy.spec)


def with_residual_std(policy: Policy, observations: FloatArray, actions: FloatArray) -> Policy:
    """The policy with the constant spread of its residuals at held-out `observations` (N, D), `actions` (N, A).

    sigma = rms(atanh(clip(a, +-.99)) - mean) in each dimension, kept in `STD_RANGE`; the mode stays.
    """
    parameters = to_parameters(policy)
    with torch.no_grad():
        mean, _ = distribution(parameters, normalise(parameters, torch.tensor(observations, dtype=torch.float32)))
        residual = _residual(mean, torch.tensor(actions, dtype=torch.float32))
    return with_constant_std(policy, residual.square().mean(0).sqrt().clamp(*STD_RANGE).numpy())


def _loss(mean: Tensor, targets: Tensor) -> Tensor:
    before = torch.nn.functional.smooth_l1_loss(residual := _residual(mean, targets), torch.zeros_like(residual))
    return (mean.tanh() - targets).square().mean() + 0.1 * before


def _residual(mean: Tensor, targets: Tensor) -> Tensor:
    """Before the tanh; none where both are saturated to the same side."""
    clipped = targets.clamp(-ACTION_CLIP, ACTION_CLIP)
    wanted = torch.atanh(clipped)
    saturated = (targets.abs() >= ACTION_CLIP) & (mean * targets.sign() > wanted.abs())
    return torch.where(saturated, torch.zeros_like(mean), wanted - mean)
