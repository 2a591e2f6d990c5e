"""Keeps joint targets inside the joints' range."""

from __future__ import annotations

import numpy as np

from porl_robot.command import Command, CommandSpace, Intervention, RobotState
from porl_robot.safety.filter import Ruling, changed
from porl_robot.safety.limits import JointLimits


class PositionFilter:
    """Clips each joint target into [lower, upper]; a clipped joint's motion ends at its limit."""

    name = "position"

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        if command.space is not CommandSpace.JOINT_TARGET:
            return Ruling(command, fault=f"expected joint targets, got {command.space.value}")
        asked = command.values
        allowed = np.clip(asked, self._limits.lower, self._limits.upper)
        kept = allowed == asked
        if kept.all():
            return Ruling(command)
        clipped = Command(
            command.space,
            allowed,
            np.where(kept, command.velocity, 0.0),
            np.where(kept, command.acceleration, 0.0),
        )
        joints = changed(asked, allowed)
        if not joints:
            return Ruling(clipped)
        # Plain floats: formatting numpy scalars costs several times as much.
        before, after = asked.tolist(), allowed.tolist()
        reason = "; ".join(
            f"{self._limits.names[i]}: asked for {before[i]:.4f}, "
            f"{'lower' if before[i] < after[i] else 'upper'} limit {after[i]:.4f}"
            for i in joints
        )
        return Ruling(clipped, Intervention(self.name, reason, asked, allowed))
