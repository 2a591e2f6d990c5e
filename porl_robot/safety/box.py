"""Keeps normalised commands in their box."""

from __future__ import annotations

import numpy as np

from porl_robot.command import Command, CommandSpace, Intervention, RobotState
from porl_robot.safety.filter import Ruling, changed


class BoxFilter:
    """Clips each value of a normalised (Cartesian or raw) command into [-1, 1]."""

    name = "box"

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        if command.space is CommandSpace.JOINT_TARGET:
            return Ruling(command, fault="expected a normalised command, got joint targets")
        asked = command.values
        allowed = np.clip(asked, -1.0, 1.0)
        if (allowed == asked).all():
            return Ruling(command)
        clipped = Command.at_rest(command.space, allowed)
        indices = changed(asked, allowed)
        if not indices:
            return Ruling(clipped)
        reason = "; ".join(f"value {i}: asked for {asked[i]:.4f}, limit 1" for i in indices)
        return Ruling(clipped, Intervention(self.name, reason, asked, allowed))
