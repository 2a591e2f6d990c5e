"""The face every safety filter shows, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from porl_robot.command import Command, FloatArray, Intervention, RobotState

NEGLIGIBLE = 1e-6  # [rad], [m] or normalised: a smaller change is rounding, not an intervention


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one filter says about one command.

    Attributes:
        command: the command to hand on; meaningless where `fault` is set.
        intervention: set where the filter changed more than rounding.
        fault: why the command must not be executed at all, or None.
    """

    command: Command
    intervention: Intervention | None = None
    fault: str | None = None


class Filter(Protocol):
    """A pure function of (command, state, dt) with a name. Not to be shared between threads."""

    @property
    def name(self) -> str:
        """Short and unique within a chain."""

    def __call__(self, command: Command, state: RobotState, dt: float) -> Ruling:
        """Judges one command; `dt` is the control period [s]."""


def changed(before: FloatArray, after: FloatArray) -> list[int]:
    """Indices at which `after` differs from `before` by more than rounding. Both: shape (n,)."""
    indices: list[int] = np.flatnonzero(np.abs(after - before) > NEGLIGIBLE).tolist()
    return indices
