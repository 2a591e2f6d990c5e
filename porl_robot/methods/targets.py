"""What a critic is fitted to: the bootstrapped target of one transition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from porl_robot.methods.critics import action_values, values
from porl_robot.methods.heads import Heads
from porl_robot.methods.networks import Context, Networks, Shape, Tensors
from porl_robot.methods.next_actions import NextAction
from porl_robot.replay.buffer import Batch


class Target(Protocol):
    """A rule for targets."""

    discount: float
    n_step: int

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        """Randomness of K updates."""

    def __call__(self, networks: Networks, bank: str, rows: Batch, noise: Tensors, context: Context) -> Tensor:
        """Targets (B,) for all critics, or (E, B) for each, from the target critics `bank`. Rows: normalised, (B,)."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """`y = reward + discount^n * not_terminated * value of the next action`, within the bounds of the task.

    Truncated steps keep the bootstrap, terminated steps drop it. Of several candidates the best one counts, by the
    aggregate of the heads.

    Attributes:
        discount: in (0, 1).
        next_action: the candidates. heads: the aggregate.
        entropy_backup: whether `alpha * log pi` of the next action is subtracted (off in PORL, WSRL, Cal-QL).
        n_step: steps of reward before the bootstrap.
    """

    discount: float
    next_action: NextAction
    heads: Heads
    entropy_backup: bool = False
    n_step: int = 1

    def __post_init__(self) -> None:
        _require(self.discount, self.n_step)

    @property
    def networks(self) -> tuple[str, ...]:
        return self.next_action.networks

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return self.next_action.draw(shape, rng) | self.heads.draw(shape, rng)

    def __call__(self, networks: Networks, bank: str, rows: Batch, noise: Tensors, context: Context) -> Tensor:
        candidates = self.next_action(networks, rows.next_observation, noise)
        asked = self.heads.select(networks[bank], noise)
        value = self.heads.reduce(action_values(asked, rows.next_observation, candidates.actions))
        if self.entropy_backup:
            value = value - networks["temperature"]["log_alpha"].exp() * candidates.log_prob
        return (rows.reward + rows.discount * value.amax(-2)).clamp(*context.value_bounds)


@dataclass(frozen=True, slots=True)
class StateValue:
    """`y = reward + discount^n * not_terminated * V(next)` (IQL, Kostrikov et al. 2022, equation 6)."""

    discount: float
    n_step: int = 1

    def __post_init__(self) -> None:
        _require(self.discount, self.n_step)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("value",)

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {}

    def __call__(self, networks: Networks, bank: str, rows: Batch, noise: Tensors, context: Context) -> Tensor:
        value = values(networks["value"], rows.next_observation)[0]
        return (rows.reward + rows.discount * value).clamp(*context.value_bounds)


def return_bounds(discount: float, rewards: tuple[float, float] | None) -> tuple[float, float]:
    """Smallest and largest return that rewards within `rewards` can add up to."""
    if rewards is None:
        return float("-inf"), float("inf")
    scale = 1.0 / (1.0 - discount)
    return min(rewards[0] * scale, rewards[0]), max(rewards[1] * scale, rewards[1])


def _require(discount: float, n_step: int) -> None:
    if not 0.0 < discount < 1.0:
        raise ValueError(f"target.discount {discount} is outside (0, 1)")
    if n_step < 1:
        raise ValueError(f"target.n_step {n_step} must be at least 1")
