"""How the values of an ensemble of target critics become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from porl_robot.methods.critics import Parameters, members_of
from porl_robot.methods.networks import Shape, Tensors, subsets


class Heads(Protocol):
    """An aggregation over target critics."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        """Randomness of K updates."""

    def select(self, critics: Parameters, noise: Tensors) -> Parameters:
        """The critics that are asked."""

    def reduce(self, values: Tensor) -> Tensor:
        """Values (E', n, B) to one for all critics, (n, B), or one for each, (E, n, B)."""


@dataclass(frozen=True, slots=True)
class MinOfRandomSubset:
    """The minimum over a random subset, drawn anew for every update (REDQ, Chen et al. 2021).

    Attributes:
        size: critics in the subset; as many as there are, or more: all of them.
        replacement: whether one critic may be drawn twice (as WSRL's code does).
    """

    size: int
    replacement: bool = False

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"heads.size {self.size} must be at least 1")

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {"subset": subsets(rng, shape.updates, self.size, shape.members, self.replacement)}

    def select(self, critics: Parameters, noise: Tensors) -> Parameters:
        return members_of(critics, noise["subset"])

    def reduce(self, values: Tensor) -> Tensor:
        return values.amin(0)


@dataclass(frozen=True, slots=True)
class WeightedMinPair:
    """The mean over all pairs of the pair's minimum (ENOTO, arXiv 2306.06871), as a weighted sum of sorted values.

    Sorted ascending, the k-th of N values is the minimum of N-1-k pairs out of N(N-1)/2.
    """

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {}

    def select(self, critics: Parameters, noise: Tensors) -> Parameters:
        return critics

    def reduce(self, values: Tensor) -> Tensor:
        count = values.shape[0]
        if count == 1:
            return values[0]
        rank = torch.arange(count, dtype=values.dtype, device=values.device)
        weights = (count - 1 - rank) / (count * (count - 1) / 2)
        return torch.einsum("e,enb->nb", weights, values.sort(0).values)


@dataclass(frozen=True, slots=True)
class PairMinimum:
    """Every critic learns from the minimum of its own pair (Off2On, arXiv 2107.00591); pairs are neighbours."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {}

    def select(self, critics: Parameters, noise: Tensors) -> Parameters:
        return critics

    def reduce(self, values: Tensor) -> Tensor:
        return pair_minima(values).repeat_interleave(2, 0)


def pair_minima(values: Tensor) -> Tensor:
    """The minimum of each pair of neighbours: (E, ...) to (E/2, ...). E is even."""
    return values.view(-1, 2, *values.shape[1:]).amin(1)
