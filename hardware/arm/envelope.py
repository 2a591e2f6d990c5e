"""The last limits before the servos. They hold whatever stands above them, and cannot be turned off."""

from __future__ import annotations

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.safety import JointLimits

_LONGEST_STEP = 0.05
"""No pause earns a longer step than this would [s]."""


class Envelope:
    """Judges goals one after the other.

    Args:
        limits: of the joints; acceleration and jerk are the motion planner's business.
    """

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits
        self._last: FloatArray | None = None

    def begin(self, position: FloatArray) -> None:
        """Goals go on from `position`, shape (n,) [rad], which may lie outside the range."""
        self._last = np.array(position, dtype=np.float64)

    def allowed(self, goal: FloatArray, elapsed: float) -> FloatArray:
        """The goal within the range, no further from the last one than the velocity limit takes it in `elapsed` [s].

        Where the last goal lies outside the range, the way back in is as slow as any other. Shape (n,).

        Raises:
            ValueError: `goal` has the wrong shape or holds a value that is not finite, or no goal was begun from.
        """
        goal = np.asarray(goal, dtype=np.float64)
        if goal.shape != (len(self._limits),):
            raise ValueError(f"goal has shape {goal.shape}, expected ({len(self._limits)},)")
        if not np.isfinite(goal).all():
            joint = self._limits.names[int(np.flatnonzero(~np.isfinite(goal))[0])]
            raise ValueError(f"goal of joint {joint} is not finite")
        if self._last is None:
            raise ValueError("no position to begin from")
        reach = self._limits.velocity * min(max(elapsed, 0.0), _LONGEST_STEP)
        # minimum and maximum, since np.clip costs several times as much: this is in every bus cycle.
        inside = np.minimum(np.maximum(goal, self._limits.lower), self._limits.upper)
        self._last = self._last + np.minimum(np.maximum(inside - self._last, -reach), reach)
        return self._last.copy()
