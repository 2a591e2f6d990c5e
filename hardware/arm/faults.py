"""What can befall an arm, in words for the person beside it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hardware.errors import Disconnected, HardwareError, NoReply, OutOfRange


class FaultKind(enum.Enum):
    """The kinds of faults. Every one ends an episode; none is left without the operator."""

    DISCONNECTED = "disconnected"
    SILENT = "silent"
    IMPLAUSIBLE = "implausible"
    BROWN_OUT = "brown-out"
    OVERLOAD = "overload"
    OVERHEATED = "overheated"
    SHUT_DOWN = "shut down"
    VOLTAGE = "voltage"
    SERVO = "servo"
    STUCK = "stuck"
    RANGE = "out of range"
    COMMAND = "command"
    HOST = "host"


_REMEDIES = {
    FaultKind.DISCONNECTED: "the torque may still be on: support the arm, plug the cable in, then start again",
    FaultKind.SILENT: "check supply and cables, and that no two servos have one id; support the arm, then start again",
    FaultKind.IMPLAUSIBLE: "check cable, ground and encoder, and that no two servos have one id; then start again",
    FaultKind.BROWN_OUT: "check the supply and its plug, support the arm, then start again",
    FaultKind.OVERLOAD: "support the arm, switch its supply off, take the load off, then start again",
    FaultKind.OVERHEATED: "support the arm, switch its supply off until it is below 45 deg C, then start again",
    FaultKind.SHUT_DOWN: "support the arm, take the load off, switch the supply off and on, then start again",
    FaultKind.VOLTAGE: "check the supply under load, then start again",
    FaultKind.SERVO: "switch the supply off and on, then start again",
    FaultKind.STUCK: "free the joint, or check its encoder; then start again",
    FaultKind.RANGE: "move it inside by hand, then start again",
    FaultKind.COMMAND: "what commands the arm is broken: see the log of the run",
    FaultKind.HOST: "start again",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind and its cause, and the joint that alone has it. `remedy` says what clears it."""

    kind: FaultKind
    cause: str
    joint: str | None = None

    @property
    def remedy(self) -> str:
        """What the operator is to do."""
        return _REMEDIES[self.kind]

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


class ArmFault(HardwareError):
    """The arm is in a fault. The message is its cause and its remedy."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def fault_of(error: HardwareError) -> Fault:
    """`error` as a fault; what helps is said by its kind."""
    kinds = {Disconnected: FaultKind.DISCONNECTED, OutOfRange: FaultKind.RANGE, NoReply: FaultKind.SILENT}
    return Fault(kinds.get(type(error), FaultKind.SERVO), str(error).partition(";")[0])
