"""How far an imported policy is from its source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.spec import Policy

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModeDifference:
    """|mode of the policy - action of the source| in each action dimension, over recorded observations. Shape (A,)."""

    mean: Float64
    quantile_95: Float64
    max: Float64

    def within(self, tolerance: float) -> bool:
        """Whether 95 % of the differences in every dimension are at most `tolerance`."""
        return bool((self.quantile_95 <= tolerance).all())


def mode_difference(policy: Policy, observations: FloatArray, actions: FloatArray) -> ModeDifference:
    """Observations (N, D), the source's actions (N, A) at them."""
    runner = PolicyRunner(policy)
    difference = np.abs(np.stack([runner.mode(each) for each in observations]) - actions)
    return ModeDifference(difference.mean(0), np.quantile(difference, 0.95, axis=0), difference.max(0))
