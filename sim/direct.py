"""Tasks whose commands are their normalised actions: no joint target stands between the two."""

from __future__ import annotations

import numpy as np

from porl_robot.command import Command, FloatArray, SafetyChain
from porl_robot.env import RobotEnv, box
from porl_robot.safety import action_chain


class DirectActionEnv(RobotEnv):
    """What such tasks share. The zero action is their nearest thing to a standstill."""

    def _take_actions(self, size: int, safety: SafetyChain | None) -> None:
        """Sets action space and chain for actions of shape (size,); `safety` None builds the usual chain."""
        self.action_space = box(-1.0, 1.0, size)
        self.safety = action_chain(size) if safety is None else safety
        self._idle = Command.at_rest(self.command_space, np.zeros(size))
        self._last = self._idle

    def hold(self) -> None:
        """The next control period gets the zero action: a hand that stays, or actuators in mid-range."""
        self._last = self._idle

    def _command(self, action: FloatArray) -> Command:
        return Command.at_rest(self.command_space, action)

    def _send(self, command: Command) -> None:
        self._last = command
