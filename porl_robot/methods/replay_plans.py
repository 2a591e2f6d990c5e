"""Which rows a learner trains on: offline ones, online ones, and by what priority."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from porl_robot.methods.critics import action_values, spread
from porl_robot.methods.networks import Networks
from porl_robot.policy.network import distribution
from porl_robot.replay.buffer import Batch


class ReplayPlan(Protocol):
    """A distribution over row indices: `offline` rows first, `online` ones behind them."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        """`count` row indices, with replacement. At least one of `offline` and `online` is positive."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform over all rows, so that offline data counts by its amount and fades as the run goes on."""

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        return torch.randint(offline + online, (count,), generator=rng, device=rng.device)


@dataclass(frozen=True, slots=True)
class Shares:
    """A fixed share of every batch from the offline data, first in the batch (RLPD, Cal-QL: one half).

    Attributes:
        offline_share: in [0, 1].
    """

    offline_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.offline_share <= 1.0:
            raise ValueError(f"replay.offline_share {self.offline_share} is outside [0, 1]")

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        from_offline = share(offline, online, count, self.offline_share)
        drawn = torch.rand(count, generator=rng, device=rng.device)
        old = (drawn[:from_offline] * offline).long()
        new = offline + (drawn[from_offline:] * online).long()
        return torch.cat([old, new])


@dataclass(frozen=True, slots=True)
class Prefill:
    """Uniform over the online rows and a random part of the offline ones (adaptive BC: 5 %).

    Attributes:
        part: of the offline rows, in (0, 1].
    """

    part: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.part <= 1.0:
            raise ValueError(f"replay.part {self.part} is outside (0, 1]")

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        kept = max(1, round(self.part * offline)) if offline else 0
        drawn = torch.randint(kept + online, (count,), generator=rng, device=rng.device)
        # The same rows throughout: multiplying by a number coprime to the count of rows spreads them out.
        spread = drawn * _stride(offline) % max(1, offline)
        return torch.where(drawn < kept, spread, drawn - kept + offline)


@dataclass(frozen=True, slots=True)
class DensityRatio:
    """Rows by how much they look like online ones (Off2On, arXiv 2107.00591; OPT).

    Priority `w^exponent / mean over offline rows of w^exponent`, w the ratio of online to offline density; refreshed
    for the rows the actor saw last, new rows at the largest. That starts at `M f / ((1 - f) 1000)` with M offline rows,
    so that after 1,000 steps a share f of each batch is online.

    Attributes:
        exponent: softens the ratio.
        online_share: f.
    """

    exponent: float = 0.2
    online_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.online_share < 1.0:
            raise ValueError(f"replay.online_share {self.online_share} is outside (0, 1)")

    @property
    def networks(self) -> tuple[str, ...]:
        return ("density", "priority")

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        weights = networks["priority"]["rows"][: offline + online]
        return torch.multinomial(weights, count, replacement=True, generator=rng)

    def first(self, offline: int) -> float:
        """The priority of new rows at the start."""
        return max(1.0, offline * self.online_share / ((1.0 - self.online_share) * 1000.0))

    def refreshed(self, networks: Networks, rows: Batch, indices: Tensor, offline: int) -> Tensor:
        """New priorities (N,) of normalised rows (N,) at `indices`."""
        softened, mean = _softened_ratio(networks, rows, indices < offline, self.exponent)
        return (softened / mean).clamp(1e-3, 1e3)


@dataclass(frozen=True, slots=True)
class AdvantageAndDensity:
    """Half offline, half online, within each half by advantage, offline ones also by density (A3RL, arXiv 2502.07937).

    Offline `w^exponent * exp(temperature * z)`, online `exp(temperature * z)`: z is a lower bound of the ensemble's
    advantage, standardised by the offline half of the batch and clipped to +-3; w^exponent is divided by its mean.

    Attributes:
        exponent, temperature: a and lambda.
        pessimism: standard deviations of the ensemble taken off the mean advantage.
    """

    exponent: float = 0.2
    temperature: float = 0.3
    pessimism: float = 0.2

    @property
    def networks(self) -> tuple[str, ...]:
        return ("density", "priority")

    def indices(self, offline: int, online: int, count: int, networks: Networks, rng: torch.Generator) -> Tensor:
        weights = networks["priority"]["rows"]
        from_offline = share(offline, online, count, 0.5)
        parts = []
        if from_offline:
            parts.append(torch.multinomial(weights[:offline], from_offline, replacement=True, generator=rng))
        if from_offline < count:
            new = weights[offline : offline + online]
            parts.append(offline + torch.multinomial(new, count - from_offline, replacement=True, generator=rng))
        return torch.cat(parts)

    def first(self, offline: int) -> float:
        """The priority of new rows: that of an average one."""
        return 1.0

    def refreshed(self, networks: Networks, rows: Batch, indices: Tensor, offline: int) -> Tensor:
        """New priorities (N,) of normalised rows (N,) at `indices`."""
        mode = distribution(networks["actor"], rows.observation)[0].tanh()
        gain = action_values(networks["critics"], rows.observation, rows.action)
        gain = gain - action_values(networks["critics"], rows.observation, mode)
        bound = gain.mean(0) - self.pessimism * spread(gain)
        old = indices < offline
        basis = bound[old] if int(old.sum()) > 1 else bound
        score = ((bound - basis.mean()) / basis.std().clamp_min(1e-6)).clamp(-3.0, 3.0)
        priority = (self.temperature * score).exp()
        softened, mean = _softened_ratio(networks, rows, old, self.exponent)
        return torch.where(old, priority * softened / mean, priority).clamp(1e-5, 1e5)


Prioritised = DensityRatio | AdvantageAndDensity
"""The plans that keep a priority for every row."""


def share(offline: int, online: int, count: int, offline_share: float) -> int:
    """How many of `count` rows come from offline data: all or none where there is only one kind."""
    if not offline or not online:
        return count if offline else 0
    return math.ceil(offline_share * count)


def log_ratio(networks: Networks, rows: Batch) -> Tensor:
    """Log of online over offline density (N,), clipped to +-5, by the classifier `density`."""
    return _logit(networks, rows).clamp(-5.0, 5.0)


def density_loss(networks: Networks, offline: Batch, online: Batch) -> Tensor:
    """Logistic regression of online against offline rows: at its optimum the logit is the log ratio of densities.

    It has the optimum of the published variational bound and does not die as its ReLU output can.
    """
    return F.softplus(_logit(networks, offline)).mean() + F.softplus(-_logit(networks, online)).mean()


def _logit(networks: Networks, rows: Batch) -> Tensor:
    """Of the classifier `density` (N,)."""
    return action_values(networks["density"], rows.observation, rows.action)[0]


def _softened_ratio(networks: Networks, rows: Batch, old: Tensor, exponent: float) -> tuple[Tensor, Tensor]:
    """`w^exponent` (N,), and its mean over the offline rows, those in the mask `old` (N,); over all without any."""
    softened = (exponent * log_ratio(networks, rows)).exp()
    return softened, softened[old].mean() if bool(old.any()) else softened.mean()


def _stride(offline: int) -> int:
    """A stride that visits rows of `offline` in a scattered order, each once."""
    stride = max(1, round(0.618 * offline))
    while math.gcd(stride, max(1, offline)) != 1:
        stride += 1
    return stride
