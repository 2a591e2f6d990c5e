"""What holds an actor back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from porl_robot.methods.networks import Networks
from porl_robot.methods.schedules import Schedule
from porl_robot.policy.network import distribution


@dataclass(frozen=True, slots=True)
class ModeDistance:
    """`slope / (2 radius) * mean_s ||tanh(mu(s)) - tanh(mu_reference(s))||^2`, summed over action dimensions.

    Our default. `slope` is the root mean square of |dQ/da| over the last batches. Where Q is locally linear, the mode
    comes to rest `radius |dQ/da| / slope` away from the reference: the actor stays where its critic has data, whatever
    the unit of the reward and the horizon.

    Attributes:
        radius: typical distance in units of the action, against environment steps since unfreezing.
    """

    radius: Schedule

    def __post_init__(self) -> None:
        if not self.radius.least > 0.0:
            raise ValueError(f"anchor.radius falls to {self.radius.least:g}; it must stay above 0")

    def __call__(self, networks: Networks, observation: Tensor) -> Tensor:
        """The mean distance at normalised observations (B, D), before weighting."""
        mean, _ = distribution(networks["actor"], observation)
        with torch.no_grad():
            reference, _ = distribution(networks["reference"], observation)
        return (mean.tanh() - reference.tanh()).square().sum(-1).mean()


@dataclass(frozen=True, slots=True)
class DataCloning:
    """`weight * mean squared difference of the mode and the action in the batch` (TD3+BC).

    Attributes:
        weight: against environment steps or episodes.
    """

    weight: Schedule

    def __call__(self, action: Tensor, logged: Tensor) -> Tensor:
        """The mean over rows and dimensions, before weighting. Both (B, A)."""
        return (action - logged).square().mean()


@dataclass(frozen=True, slots=True)
class SpeedLimit:
    """`softplus(eta) * (d - radius^2)`, d the squared distance per dimension to a slow average of the actor.

    The constrained policy optimisation of TD3-C (arXiv 2303.17396), equations from memory of the idea: the average
    moves, so this limits the speed of the actor, not where it ends. eta ascends while the constraint is broken.

    Attributes:
        radius: root mean square distance allowed per action dimension (our default: .05 of the range).
        gain: how many times faster than the actor eta learns; at the actor's own rate it would hardly move.
    """

    radius: float = 0.1
    gain: float = 100.0

    def __post_init__(self) -> None:
        if not self.radius > 0.0:
            raise ValueError(f"speed_limit.radius {self.radius} must be positive")
        if not self.gain > 0.0:
            raise ValueError(f"speed_limit.gain {self.gain} must be positive")

    def __call__(self, networks: Networks, observation: Tensor, action: Tensor) -> Tensor:
        """The term for actor and multiplier, at normalised observations (B, D) and modes (B, A)."""
        with torch.no_grad():
            average, _ = distribution(networks["average"], observation)
        excess = (action - average.tanh()).square().mean() / self.radius**2 - 1.0
        # At the parameter 0 the factor is 1.
        factor = F.softplus(self.gain * networks["multiplier"]["log_weight"] + math.log(math.e - 1.0))
        return factor.detach() * excess - factor * excess.detach()
