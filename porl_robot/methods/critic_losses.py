"""How far critics are from their targets."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class TemporalDifference:
    """Mean squared error of every member, summed over members so that each gets its own full gradient."""

    def __call__(self, values: Tensor, targets: Tensor) -> Tensor:
        """Scalar loss. Values: (E, B), targets: (B,)."""
        return (values - targets).square().mean(1).sum()
