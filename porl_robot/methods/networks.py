"""What the parts of a method work on: named groups of tensors, batches, and randomness drawn beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from porl_robot.methods.critics import Parameters
from porl_robot.policy.network import distribution, sample

Networks = dict[str, Parameters]
"""Groups of parameters by name.

`actor`, `reference` (the frozen policy a run began with), `critics`, `temperature` (`log_alpha`), and what the parts of
a method ask for beyond them.
"""

Tensors = dict[str, Tensor]

FOLLOWERS = {"targets": "critics", "offline_targets": "offline_critics", "average": "actor"}
"""Groups that follow another one by Polyak averaging."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a block: critic updates K, rows of each B, action dimensions A, critics E."""

    updates: int
    batch: int
    action: int
    members: int


@dataclass(frozen=True, slots=True)
class Context:
    """What an update may depend on besides networks and rows.

    Attributes:
        value_bounds: smallest and largest return of the task.
        weights: coefficients of this block by name, 0-dimensional.
    """

    value_bounds: tuple[float, float]
    weights: Tensors = field(default_factory=dict)


def normal(rng: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=rng, device=rng.device)


def uniform(rng: torch.Generator, *shape: int) -> Tensor:
    """Numbers in [-1, 1)."""
    return torch.rand(shape, generator=rng, device=rng.device) * 2.0 - 1.0


def subsets(rng: torch.Generator, draws: int, size: int, members: int, replacement: bool) -> Tensor:
    """Indices of critics, (draws, size); without replacement at most `members` of them."""
    if replacement:
        return torch.randint(members, (draws, size), generator=rng, device=rng.device)
    return torch.rand(draws, members, generator=rng, device=rng.device).argsort(1)[:, :size]


def sampled_actions(actor: Parameters, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """n actions (n, B, A) of each state and their log-densities (n, B). Noise: standard normal (n, B, A)."""
    mean, log_std = distribution(actor, observations)
    return sample(mean, log_std, noise)
