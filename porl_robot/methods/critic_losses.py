"""How far critics are from their targets, and what else they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from porl_robot.methods.critics import Parameters, action_values, spread, values
from porl_robot.methods.networks import Context, Networks, Shape, Tensors
from porl_robot.replay.buffer import Batch

Targets = dict[str, Tensor]
"""Targets (B,) or (E, B) by group of critics."""


class CriticLoss(Protocol):
    """A loss of critics; each group gets the gradient of its own terms only."""

    @property
    def banks(self) -> tuple[str, ...]:
        """Groups of critics that need targets."""

    @property
    def trains(self) -> tuple[str, ...]:
        """Groups that take a step."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""

    @property
    def needs_returns(self) -> bool:
        """Whether rows have to carry their discounted returns."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        """Randomness of K updates."""

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        """Scalar loss of one update. Rows: normalised, (B,)."""


def squared_error(critics: Parameters, rows: Batch, targets: Tensor) -> Tensor:
    """Squared error of every member's values, (E, B)."""
    return (action_values(critics, rows.observation, rows.action) - targets).square()


@dataclass(frozen=True, slots=True)
class TemporalDifference:
    """Mean squared error of every member, summed over members so that each gets its own full gradient."""

    @property
    def banks(self) -> tuple[str, ...]:
        return ("critics",)

    @property
    def trains(self) -> tuple[str, ...]:
        return ("critics",)

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    @property
    def needs_returns(self) -> bool:
        return False

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {}

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        return squared_error(networks["critics"], rows, targets["critics"]).mean(1).sum()


@dataclass(frozen=True, slots=True)
class UncertaintyWeighted(TemporalDifference):
    """Squared error times `sigmoid(-sharpness * std) + 1/2` (ENOTO, after SUNRISE, Lee et al. 2021, equation 5).

    The std is that of the target critics at the transition, per sample, in units of the task's range of returns
    where it is known (our default: the published weight depends on the scale of the reward).
    """

    sharpness: float = 10.0

    def __post_init__(self) -> None:
        if not self.sharpness >= 0.0:
            raise ValueError(f"sharpness {self.sharpness} must be at least 0: doubt does not make a row count more")

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        low, high = context.value_bounds
        span = high - low if high - low < float("inf") else 1.0
        with torch.no_grad():
            doubt = spread(action_values(networks["targets"], rows.observation, rows.action)) / span
            weight = torch.sigmoid(-self.sharpness * doubt) + 0.5
        return (weight * squared_error(networks["critics"], rows, targets["critics"])).mean(1).sum()


@dataclass(frozen=True, slots=True)
class TwoBanks(TemporalDifference):
    """Squared error of the fresh critics and of those from the checkpoint, each against its own targets (OPT)."""

    @property
    def banks(self) -> tuple[str, ...]:
        return ("critics", "offline_critics")

    @property
    def trains(self) -> tuple[str, ...]:
        return ("critics", "offline_critics")

    @property
    def networks(self) -> tuple[str, ...]:
        return ("offline_critics", "offline_targets")

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        banks = [squared_error(networks[bank], rows, targets[bank]) for bank in self.banks]
        return torch.stack([bank.mean(1).sum() for bank in banks]).sum()


@dataclass(frozen=True, slots=True)
class Expectile(TemporalDifference):
    """Squared error of the critics, and the expectile regression of V on them (IQL, equations 5 and 6).

    Attributes:
        expectile: in (0, 1); towards 1, V goes to the best action in the data.
    """

    expectile: float = 0.8

    def __post_init__(self) -> None:
        if not 0.0 < self.expectile < 1.0:
            raise ValueError(f"critic_loss.expectile {self.expectile} is outside (0, 1)")

    @property
    def trains(self) -> tuple[str, ...]:
        return ("critics", "value")

    @property
    def networks(self) -> tuple[str, ...]:
        return ("value",)

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        with torch.no_grad():
            target = action_values(networks["targets"], rows.observation, rows.action).amin(0)
        gap = target - values(networks["value"], rows.observation)[0]
        weight = torch.where(gap > 0, self.expectile, 1.0 - self.expectile)
        value_loss = (weight * gap.square()).mean()
        return value_loss + squared_error(networks["critics"], rows, targets["critics"]).mean(1).sum()


@dataclass(frozen=True, slots=True)
class MetaAdaptation(TemporalDifference):
    """`L_off(psi) + w * L_on(psi - rate * grad L_off(psi))`, `w = min(L_off, L_on) / L_on` (OPT, arXiv 2507.08387).

    The first half of the rows are offline, the second half online.

    Attributes:
        rate: of the inner step; 0 gives `L_off + w * L_on`.
    """

    rate: float = 3e-4

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        critics, half = networks["critics"], (rows.reward.shape[0] + 1) // 2
        offline = squared_error(critics, rows, targets["critics"])[:, :half].mean(1).sum()
        gradients = torch.autograd.grad(offline, list(critics.values()), create_graph=True)
        adapted = {
            name: weight - self.rate * slope for (name, weight), slope in zip(critics.items(), gradients, strict=True)
        }
        online = squared_error(adapted, rows, targets["critics"])[:, half:].mean(1).sum()
        weight = (torch.minimum(offline, online) / online).detach()
        return offline + weight * online


@dataclass(frozen=True, slots=True)
class WithReferenceValue(TemporalDifference):
    """Squared error of the critics, and of a state value to the returns in the data (Q2RL, arXiv 2605.05172).

    Fitted while the frozen policy acts, that value is what the policy is worth.
    """

    @property
    def trains(self) -> tuple[str, ...]:
        return ("critics", "reference_value")

    @property
    def networks(self) -> tuple[str, ...]:
        return ("reference_value",)

    @property
    def needs_returns(self) -> bool:
        return True

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        value = values(networks["reference_value"], rows.observation)[0]
        known = rows.returns > float("-inf")
        error = torch.where(known, value - rows.returns.where(known, value.detach()), 0.0)
        return error.square().mean() + squared_error(networks["critics"], rows, targets["critics"]).mean(1).sum()
