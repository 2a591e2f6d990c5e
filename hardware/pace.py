"""Keeps a motion that hands have made within what actions could have asked for."""

from __future__ import annotations

import numpy as np

from hardware.reach import INCREMENT
from porl_robot.command import Command, Intervention, RobotState
from porl_robot.safety.filter import Ruling, changed


class PaceFilter:
    """Takes the target of each joint no further in one control period than an action of 1 does.

    Args:
        names: of the joints.
    """

    name = "pace"

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        before, asked = state.commanded.values, command.values
        allowed = before + np.clip(asked - before, -INCREMENT, INCREMENT)
        joints = changed(asked, allowed)
        if not joints:
            return Ruling(command)
        reason = "; ".join(f"{self._names[i]}: moved faster than {INCREMENT / dt:g} rad/s" for i in joints)
        return Ruling(Command.at_rest(command.space, allowed), Intervention(self.name, reason, asked, allowed))
