"""Refuses a command that is not a motion at all: wrong shape, NaN or infinity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from porl_robot.command import Command, RobotState
from porl_robot.safety.filter import Ruling


@dataclass(frozen=True)
class FiniteFilter:
    """Lets a command through only where every number in it is finite. It never repairs one.

    Attributes:
        names: what the n values of a command are called, for the reason.
    """

    names: tuple[str, ...]
    name: str = "finite"

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        return Ruling(command, fault=self._objection(command))

    def _objection(self, command: Command) -> str | None:
        for part in ("values", "velocity", "acceleration"):
            numbers = np.asarray(getattr(command, part))
            if numbers.shape != (len(self.names),):
                return f"{part} have shape {numbers.shape}, expected ({len(self.names)},)"
            for index, number in enumerate(numbers.tolist()):
                if not math.isfinite(number):
                    return f"{part}[{index}] ({self.names[index]}) is {number}"
        return None
