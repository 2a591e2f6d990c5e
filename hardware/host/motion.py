"""The goal between two commands."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from ruckig import InputParameter

from porl_robot.command import FloatArray
from porl_robot.safety import JointLimits, PathPlanner

_log = logging.getLogger(__name__)
_ROUNDING = 1.02  # a target at the very edge of a limit must not fail by rounding


@dataclass(frozen=True, slots=True)
class Waypoint:
    """Where the goal is to be, moving as it says there. Arrays: shape (n,), [rad], [rad/s], [rad/s^2]."""

    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray

    @classmethod
    def at_rest(cls, position: FloatArray) -> Waypoint:
        """Standing still at `position`, shape (n,)."""
        zeros = np.zeros_like(position)
        return cls(position, zeros, zeros)


class GoalMotion:
    """Leads the goal from command to command within velocity, acceleration and jerk of `limits`.

    Between two commands the goal moves on a path that joins the motion so far to the command's own. Where no command
    follows in time, it brakes at the end of the path: nothing is extrapolated.

    Args:
        limits: of the joints.
        position: shape (n,), where the goal stands [rad].
        now: arm time [s], as in every method.
    """

    def __init__(self, limits: JointLimits, position: FloatArray, now: float) -> None:
        self._planner = PathPlanner(limits, slack=_ROUNDING)
        self.rest(position, now)

    def at_rest(self, now: float) -> bool:
        """Whether the goal stands still."""
        self.at(now)
        return self._braking and now >= self._begun + self._duration

    def rest(self, position: FloatArray, now: float) -> None:
        """The goal stands at `position`, shape (n,), from now on, whatever it did before."""
        self._still(Waypoint.at_rest(np.array(position, dtype=np.float64)), now)

    def follow(self, waypoint: Waypoint, duration: float, now: float) -> None:
        """Sets out for `waypoint`, to be there in `duration` [s], or as soon after as the limits allow."""
        start = self.at(now)
        target = self._planner.to_target
        target.target_position = waypoint.position.tolist()
        target.target_velocity = waypoint.velocity.tolist()
        target.target_acceleration = waypoint.acceleration.tolist()
        target.minimum_duration = duration
        if self._planned(target, start):
            self._go(now, braking=False)
        else:
            _log.warning("no path from %s to %s: braking", start, waypoint)
            self._brake(start, now)

    def brake(self, now: float) -> None:
        """Comes to rest as fast as the limits allow; does nothing while that happens already."""
        start = self.at(now)
        if not self._braking:
            self._brake(start, now)

    def at(self, now: float) -> Waypoint:
        """The goal and its motion at `now`, which never goes back."""
        if now >= self._begun + self._duration and not self._braking:
            self._brake(self._point(self._duration), self._begun + self._duration)
        return self._point(min(now - self._begun, self._duration))

    def _brake(self, start: Waypoint, now: float) -> None:
        if self._planned(self._planner.to_rest, start):
            self._go(now, braking=True)
        else:
            _log.error("no braking path from %s: the goal stops where it is", start)
            self._still(Waypoint.at_rest(start.position), now)

    def _planned(self, kind: InputParameter, start: Waypoint) -> bool:
        return self._planner.plan(kind, start.position, start.velocity, start.acceleration)

    def _go(self, now: float, braking: bool) -> None:
        self._begun, self._duration, self._braking = now, self._planner.path.duration, braking
        self._stands: Waypoint | None = None

    def _still(self, waypoint: Waypoint, now: float) -> None:
        self._begun, self._duration, self._braking = now, 0.0, True
        self._stands = waypoint

    def _point(self, elapsed: float) -> Waypoint:
        if self._stands is not None:
            return self._stands
        position, velocity, acceleration = (np.array(part) for part in self._planner.path.at_time(max(elapsed, 0.0)))
        return Waypoint(position, velocity, acceleration)
