"""What ties an actor to the policy it began as."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from porl_robot.methods.schedules import Schedule


@dataclass(frozen=True, slots=True)
class ModeDistance:
    """`weight * reward_span * mean_s ||tanh(mu(s)) - tanh(mu_reference(s))||^2`, summed over action dimensions.

    Our default. The anchored actor stays where its critic has data: the squared distance bounds how far one gradient
    of the critic can carry the mode (about |dQ/da| / (2 weight)).

    Attributes:
        weight: per unit of reward span, against environment steps since unfreezing.
    """

    weight: Schedule

    def __call__(self, mean: Tensor, reference_mean: Tensor) -> Tensor:
        """The distance (B,) before weighting, from the means before the tanh (B, A)."""
        return (mean.tanh() - reference_mean.tanh()).square().sum(-1)
