"""What an actor minimises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from porl_robot.methods.anchors import ModeDistance


@dataclass(frozen=True, slots=True)
class SoftActorCritic:
    """`mean(alpha * log pi - Q)`, Q aggregated over the ensemble (Haarnoja et al. 2018; mean as in RLPD).

    Attributes:
        value: how the members' values become one: their mean or their minimum.
        anchor: what ties the actor to the policy it began as, or None.
    """

    value: Literal["mean", "min"] = "mean"
    anchor: ModeDistance | None = None

    def __post_init__(self) -> None:
        if self.value not in ("mean", "min"):
            raise ValueError(f"actor_loss.value {self.value!r} is neither 'mean' nor 'min'")

    def __call__(self, values: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
        """Scalar loss without the anchor. Values: (E, B), log_prob: (B,), alpha: scalar."""
        aggregate = values.mean(0) if self.value == "mean" else values.amin(0)
        return (alpha * log_prob - aggregate).mean()
