"""What goes to the motors, the motion it is part of, and what the safety chain answers to it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


class CommandSpace(enum.Enum):
    """What the numbers of a command mean."""

    JOINT_TARGET = "joint_target"  # [rad], slides in [m]
    CARTESIAN_DELTA = "cartesian_delta"  # normalised to [-1, 1] by the adapter
    RAW = "raw"  # the task's own actuators, normalised to [-1, 1]


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be sent to the motors, with the motion it is part of.

    Attributes:
        space: meaning of `values`.
        values: shape (n,), unit of `space`.
        velocity: shape (n,), time derivative of the commanded motion at `values` [unit/s]. Zero outside joint space.
        acceleration: shape (n,), its second derivative [unit/s^2]. Zero outside joint space.
    """

    space: CommandSpace
    values: FloatArray
    velocity: FloatArray
    acceleration: FloatArray

    @classmethod
    def at_rest(cls, space: CommandSpace, values: FloatArray) -> Command:
        """A command with zero velocity and acceleration. `values`: shape (n,)."""
        zeros = np.zeros_like(values)
        return cls(space, values, zeros, zeros)


@dataclass(frozen=True, slots=True)
class RobotState:
    """What is known of the robot at one instant.

    Attributes:
        position: shape (n,), joints [rad], slides [m].
        velocity: shape (n,) [rad/s], [m/s].
        commanded: the last command that was sent (not the last one asked for).
        timestamp: when `position` was measured [s], monotonic clock; simulated seconds in a simulation.
        age: seconds between the measurement and this object's making; 0 in a simulation.
        effort: shape (n,) [N m], [N], or None where not measured.
        temperature: shape (n,) [deg C], or None where not measured.
        voltage: shape (n,) [V], or None where not measured.
    """

    position: FloatArray
    velocity: FloatArray
    commanded: Command
    timestamp: float
    age: float = 0.0
    effort: FloatArray | None = None
    temperature: FloatArray | None = None
    voltage: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    """One filter changed (or refused) one command. `before`, `after`: shape (n,), unit of the command."""

    filter: str
    reason: str
    before: FloatArray
    after: FloatArray


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the safety chain answers.

    Attributes:
        command: the command to send. Where `fault` is set it must not be sent: hold instead.
        interventions: what was changed, in the order of the chain.
        filters: bit i is set where filter i of the chain's `names` intervened.
        fault: why the command was refused, or None.
    """

    command: Command
    interventions: tuple[Intervention, ...] = ()
    filters: int = 0
    fault: str | None = None


class SafetyChain(Protocol):
    """A pure function of (command, state, dt): holds no memory between calls."""

    @property
    def names(self) -> tuple[str, ...]:
        """Filter names in the order of the bits of `Verdict.filters`."""

    def __call__(self, command: Command, state: RobotState, dt: float) -> Verdict:
        """Judges one command; `dt` is the control period [s]."""
