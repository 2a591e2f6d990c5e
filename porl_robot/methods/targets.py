"""What a critic is fitted to: the bootstrapped target of one transition."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.methods.critics import Parameters, action_values, members_of


@dataclass(frozen=True, slots=True)
class MinOfRandomSubset:
    """`y = r + discount * not_terminated * min over a random subset of the target critics` (REDQ, Chen et al. 2021).

    The next action is the actor's sample. Truncated steps keep the bootstrap, terminated steps drop it.

    Attributes:
        size: critics in the subset, drawn without replacement for every update.
        discount: in (0, 1).
        entropy_backup: whether `alpha * log pi` of the next action is subtracted (off in PORL, WSRL, Cal-QL).
    """

    size: int
    discount: float
    entropy_backup: bool

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"target.size {self.size} must be at least 1")
        if not 0.0 < self.discount < 1.0:
            raise ValueError(f"target.discount {self.discount} is outside (0, 1)")

    def draw_subsets(self, updates: int, members: int, rng: torch.Generator) -> Tensor:
        """Indices of the critics each update bootstraps from. Shape (updates, min(size, members))."""
        ranks = torch.rand(updates, members, generator=rng, device=rng.device)
        return ranks.argsort(1)[:, : self.size]

    def bounds(self, rewards: tuple[float, float] | None) -> tuple[float, float]:
        """Smallest and largest return that rewards within `rewards` can add up to."""
        if rewards is None:
            return float("-inf"), float("inf")
        scale = 1.0 / (1.0 - self.discount)
        return min(rewards[0] * scale, rewards[0]), max(rewards[1] * scale, rewards[1])

    def __call__(
        self,
        critics: Parameters,
        subset: Tensor,
        reward: Tensor,
        not_terminated: Tensor,
        next_observation: Tensor,
        next_action: Tensor,
        entropy_cost: Tensor,
        bounds: tuple[float, float],
    ) -> Tensor:
        """Targets (B,). `subset` (M,) indexes the target critics; `entropy_cost` (B,) is `alpha * log pi`."""
        value = action_values(members_of(critics, subset), next_observation, next_action).amin(0)
        if self.entropy_backup:
            value = value - entropy_cost
        return (reward + self.discount * not_terminated * value).clamp(*bounds)
