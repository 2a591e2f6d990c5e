"""What an env asks of the person who watches over its robot, and what that person is shown before it moves."""

from __future__ import annotations

import abc
import enum
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from porl_robot.command import FloatArray
from porl_robot.errors import UserError


class Mark(enum.Enum):
    """A person's word on the episode under way. Each of them ends it."""

    SUCCESS = "success"
    FAILURE = "failure"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is wrong with the robot or with what it was told. `remedy` says how to clear it, as an imperative."""

    cause: str
    remedy: str


class Halted(UserError):
    """The robot is held and nothing may move it: the operator stopped it, it has a fault, or nobody armed it."""


@dataclass(frozen=True, slots=True)
class ArmingCard:
    """What is shown before a robot may move.

    Attributes:
        arm: its name, to be typed in order to arm.
        rows: (label, value): port, calibration, pose, limits.
    """

    arm: str
    rows: tuple[tuple[str, str], ...]


class Supervisor(Protocol):
    """Watches over one env. The env calls; nothing here may take long but `sleep`."""

    @property
    def halted(self) -> str | None:
        """Why nothing may move, or None."""

    @property
    def paused(self) -> bool:
        """Whether the robot is to be held until further notice."""

    @property
    def finishing(self) -> bool:
        """Whether the episode under way is to be the last."""

    def hand(self) -> FloatArray | None:
        """The action (A,) in [-1, 1] of a person who has taken over; None where nobody has."""

    def sleep(self, seconds: float) -> None:
        """Lets `seconds` of wall time pass; returns early once nothing may move."""

    def report(self, fault: Fault) -> None:
        """The robot has a fault. Nothing may move from now on."""

    def begin(self) -> None:
        """An episode begins."""

    def mark(self) -> Mark | None:
        """The word on the episode, if there is one; given once."""

    def saw(self, step: int, reasons: Iterable[str], ended: bool, success: bool | None) -> None:
        """Step `step` of the episode (from 1) is done; `reasons` are those of the filters that intervened.

        `success` is None where nothing can be said of it.
        """


class Teleoperator(Protocol):
    """A person's hand on the robot, by way of a device of its own."""

    def act(self) -> FloatArray | Fault:
        """The next action, shape (A,), in [-1, 1], or what is wrong with the device."""

    def close(self) -> None:
        """Frees the device. May be called twice."""


class Supervised(abc.ABC):
    """A robot that somebody may stop, pause and arm.

    Attributes:
        arming_needed: True where a person has to arm before anything moves, and stays beside the robot.
        supervisor: whom to ask; None in a simulation.
    """

    name: str
    arming_needed: bool = False
    supervisor: Supervisor | None = None

    @property
    @abc.abstractmethod
    def dt(self) -> float:
        """Control period [s]."""

    @abc.abstractmethod
    def hold(self) -> None:
        """Brings the robot to a safe standstill. Never raises. Called again, it keeps the robot where it is held."""

    def attend(self) -> None:
        """Holds the robot while the operator pauses. To be called in every period that is not part of a step.

        Raises:
            Halted: nothing may move; the robot is held.
        """
        reason = self._held()
        if reason is not None:
            raise Halted(self._halted() or reason)

    @property
    def finishing(self) -> bool:
        """Whether the operator wants no further episode."""
        return self.supervisor is not None and self.supervisor.finishing

    def arming_card(self) -> ArmingCard:
        """What the operator is shown before arming. Changes nothing of the robot, its torque included.

        Raises:
            UserError: the robot cannot be armed as it is.
        """
        return ArmingCard(self.name, ())

    def arm(self) -> None:  # noqa: B027 - most have nothing to do
        """Lets the robot be moved: a real one switches its torque on where it stands. The operator has agreed."""

    def _robot_fault(self) -> Fault | None:
        """What is wrong with the robot now, asked in every control period. The other hooks answer all the same."""
        return None

    def _sleep(self, seconds: float) -> None:
        """Lets `seconds` of wall time pass; cut short when the operator stops the robot."""
        if self.supervisor is None:
            time.sleep(seconds)
        else:
            self.supervisor.sleep(seconds)

    def _halted(self) -> str | None:
        """Why nothing may move, or None."""
        if self.supervisor is not None:
            return self.supervisor.halted
        return _NOBODY_ARMS if self.arming_needed else None

    def _held(self) -> str | None:
        """Holds the robot for as long as it is paused, and for good where nothing may move: then says why."""
        while True:
            broken = self._robot_fault()
            reason = self._halted() if broken is None else self._report(broken)
            if reason is not None:
                self.hold()
                return reason
            if self.supervisor is None or not self.supervisor.paused:
                return None
            self.hold()
            self.supervisor.sleep(self.dt)

    def _report(self, fault: Fault) -> str:
        """Tells the supervisor; returns the cause."""
        if self.supervisor is not None:
            self.supervisor.report(fault)
        return fault.cause


_NOBODY_ARMS = "a real arm moves only after an operator has armed it; collect, finetune and evaluate ask for that"
