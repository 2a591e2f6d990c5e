"""Keeps the commanded motion within the joints' velocity, acceleration and jerk."""

from __future__ import annotations

import math

import numpy as np
from ruckig import InputParameter

from porl_robot.command import Command, Intervention, RobotState
from porl_robot.safety.filter import Ruling, changed
from porl_robot.safety.limits import JointLimits
from porl_robot.safety.paths import PathPlanner

_AT_LIMIT = 1.0 - 1e-6


class RateFilter:
    """Moves each joint on its time-optimal path from the commanded motion so far to the target.

    From the last command (q, dq, ddq) to rest at the target, the path obeys |dq| <= velocity,
    |ddq| <= acceleration and |dddq| <= jerk. Where every joint arrives within dt the command passes
    as it is; otherwise it becomes the point of the path at dt. Joints do not wait for each other. A
    start that is itself beyond a limit is brought back as fast as the limits allow.

    The measured state plays no part: a motion planned from it would stutter with every measurement
    error.
    """

    name = "rate"

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits
        self._planner = PathPlanner(limits, together=False)  # only buffers: every call writes all inputs it reads

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        if not (math.isfinite(dt) and dt > 0.0):
            return Ruling(command, fault=f"control period must be positive and finite, got {dt}")
        start = state.commanded
        if (objection := self._objection(start)) is not None:
            return Ruling(command, fault=objection)
        self._planner.to_target.target_position = command.values.tolist()
        planned = self._planned(self._planner.to_target, start)
        if planned and self._planner.path.duration <= dt:
            return Ruling(Command.at_rest(command.space, command.values))
        # On rare states at the very edge of a limit the planner fails by rounding: brake instead.
        if not planned and not self._planned(self._planner.to_rest, start):
            return Ruling(command, fault="neither a path to the target nor a stop could be planned")
        allowed = self._point(command, start, dt)
        joints = changed(command.values, allowed.values)
        if not joints:
            return Ruling(allowed)
        reason = self._reason(joints, command, allowed, dt) if planned else "no path found: braking"
        return Ruling(allowed, Intervention(self.name, reason, command.values, allowed.values))

    def _objection(self, start: Command) -> str | None:
        for part in (start.values, start.velocity, start.acceleration):
            if part.shape != (len(self._limits),) or not np.isfinite(part).all():
                return f"the last command is not a motion of {len(self._limits)} joints: {start}"
        return None

    def _planned(self, kind: InputParameter, start: Command) -> bool:
        return self._planner.plan(kind, start.values, start.velocity, start.acceleration)

    def _point(self, command: Command, start: Command, dt: float) -> Command:
        """The path at `dt`, no further out than the limits (or than a start outside them)."""
        position, velocity, acceleration = (np.array(part) for part in self._planner.path.at_time(dt))
        lower = np.minimum(self._limits.lower, start.values)
        upper = np.maximum(self._limits.upper, start.values)
        below, above = position < lower, position > upper
        if below.any() or above.any():
            position = np.clip(position, lower, upper)
            for outside, inward in ((below, np.maximum), (above, np.minimum)):
                velocity = np.where(outside, inward(velocity, 0.0), velocity)
                acceleration = np.where(outside, inward(acceleration, 0.0), acceleration)
        return Command(command.space, position, velocity, acceleration)

    def _reason(self, joints: list[int], asked: Command, allowed: Command, dt: float) -> str:
        bound = self._binding(allowed, dt)
        before, after = asked.values.tolist(), allowed.values.tolist()
        return "; ".join(
            f"{self._limits.names[i]}: asked for {before[i]:.4f}, {bound[i]} limit allows {after[i]:.4f}"
            for i in joints
        )

    def _binding(self, end: Command, dt: float) -> list[str]:
        """Per joint, the limit reached half-way through the period or at its end."""
        _, middle_velocity, middle_acceleration = self._planner.path.at_time(dt / 2.0)
        velocity = np.maximum(np.abs(middle_velocity), np.abs(end.velocity))
        acceleration = np.maximum(np.abs(middle_acceleration), np.abs(end.acceleration))
        fast = (velocity >= _AT_LIMIT * self._limits.velocity).tolist()
        hard = (acceleration >= _AT_LIMIT * self._limits.acceleration).tolist()
        return ["velocity" if v else "acceleration" if a else "jerk" for v, a in zip(fast, hard, strict=True)]
