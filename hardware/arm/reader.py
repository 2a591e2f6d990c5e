"""Telemetry, one contiguous read a cycle, from servos that may miss a cycle or be misheard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hardware.arm.faults import ArmFault, Fault, FaultKind, fault_of
from hardware.arm.gate import Gate, Verdict
from hardware.arm.joint import Joint
from hardware.arm.telemetry import Telemetry
from hardware.bus import Bus, Reading
from hardware.clock import Clock
from hardware.errors import Disconnected, HardwareError

SOFT_FAILURES = 3
"""Cycles in a row that a servo fails before the arm is stopped; until then it stays at the last goal."""

SILENCE = 0.1
"""After so long without a word from any servo the arm is stopped [s]: then a cycle is a long time. One missed cycle is
not enough, since a computer that stood still has not listened."""

_FASTEST = 3.0
"""A joint that is pushed, or falls, may be so many times as fast as it may be commanded to be."""

_BLOCKS = (("present_position", "present_current"), ("present_pwm", "present_temperature"))
"""Of Feetech, and of Dynamixel whether its servos measure current or load: the first that all servos of an arm have."""

_ALERT = "hardware alert"


class _Heard(NamedTuple):
    """The newest reading; and the motion of the joint [rad], [rad/s], when it was measured [s]."""

    moment: float
    reading: Reading
    position: float
    velocity: float


class Reader:
    """Reads all joints of an arm.

    Args:
        velocity: fastest a joint may be commanded to be [rad/s].

    Attributes:
        telemetry: of the newest readings.
        implausible: readings refused so far.
        recovered: places of the servos that have failed and answer again.

    Raises:
        HardwareError: a servo has never answered.
    """

    def __init__(self, bus: Bus, joints: Sequence[Joint], velocity: float, clock: Clock) -> None:
        self._bus, self._joints, self._clock = bus, joints, clock
        self._ids = tuple(joint.id for joint in joints)
        self._block = next(block for block in _BLOCKS if all(_has(joint, *block) for joint in joints))
        self._gate = Gate(_FASTEST * velocity)
        self._failures = dict.fromkeys(self._ids, 0)
        self._heard: dict[int, _Heard] = {}
        self.implausible = 0
        self.recovered: set[int] = set()
        for _ in range(SOFT_FAILURES):
            self._read_once(driven=False)
            if len(self._heard) == len(self._ids):
                break
        else:
            missing = ", ".join(joint.name for joint in joints if joint.id not in self._heard)
            raise HardwareError(f"no telemetry from {missing}; check cables and supply")
        self.telemetry = self._made()

    def read(self, driven: bool) -> bool:
        """One cycle; whether every servo answered plausibly.

        Args:
            driven: some torque is on. An arm in somebody's hands may do what it likes.

        Raises:
            ArmFault: the port is gone, a servo has failed in `SOFT_FAILURES` cycles in a row, or all of them in two and
                for `SILENCE`.
        """
        try:
            complaints = self._read_once(driven)
        except Disconnected as error:
            raise ArmFault(fault_of(error)) from error
        self.telemetry = self._made()
        silence = self._clock.now() - max(each.moment for each in self._heard.values())
        if silence > SILENCE and len(complaints) == len(self._ids) and min(self._failures.values()) > 1:
            raise ArmFault(Fault(FaultKind.SILENT, f"no servo has answered for {silence:.2f} s"))
        for joint in self._joints:
            if self._failures[joint.id] == SOFT_FAILURES:
                kind, words = complaints[joint.id]
                raise ArmFault(Fault(kind, f"{joint} {words} for {SOFT_FAILURES} cycles"))
        return not complaints

    def _read_once(self, driven: bool) -> dict[int, tuple[FaultKind, str]]:
        """Takes what is good; returns what is wrong, by id."""
        found = self._bus.sync_read(self._ids, *self._block)
        complaints = {}
        for place, (id, joint) in enumerate(zip(self._ids, self._joints, strict=True)):
            complaint = self._take(joint, found.get(id), driven)
            if complaint is not None:
                complaints[id] = complaint
                self._failures[id] += 1
            elif self._failures[id]:
                self._failures[id] = 0
                self.recovered.add(place)
        return complaints

    def _take(self, joint: Joint, reading: Reading | None, driven: bool) -> tuple[FaultKind, str] | None:
        """Keeps `reading`, or says what is wrong with it."""
        if reading is None:
            return FaultKind.SILENT, "has not answered"
        position, velocity = joint.position(reading), joint.velocity(reading)
        verdict = Verdict.ACCEPTED
        if driven:
            verdict = self._gate.judge(joint.id, position, velocity, reading.taken)
        else:
            self._gate.note(joint.id, position, reading.taken)
        if verdict is Verdict.REFUSED:
            self.implausible += 1
            return FaultKind.IMPLAUSIBLE, "has reported what its joint cannot have done"
        if verdict is Verdict.DOUBTED:  # the last motion stands for another cycle; what else it says is as new as ever
            self._heard[joint.id] = self._heard[joint.id]._replace(reading=reading)
        else:
            self._heard[joint.id] = _Heard(reading.taken.heard, reading, position, velocity)
        return None

    def _made(self) -> Telemetry:
        heard = [self._heard[id] for id in self._ids]
        readings = [(joint, each.reading) for joint, each in zip(self._joints, heard, strict=True)]
        table = np.array(
            [
                (
                    joint.load(values),
                    joint.scaled(values, "present_voltage"),
                    joint.scaled(values, "present_temperature"),
                    joint.current(values),
                    each.position,
                    each.velocity,
                )
                for (joint, values), each in zip(readings, heard, strict=True)
            ]
        )
        load, voltage, temperature, current, position, velocity = table.T.copy()
        return Telemetry(
            measured=np.array([each.moment for each in heard]),
            heard=min(each.reading.taken.heard for each in heard),
            position=position,
            velocity=velocity,
            load=load,
            voltage=voltage,
            temperature=temperature,
            current=current,
            flags=tuple(self._flags(joint, values) for joint, values in readings),
        )

    def _flags(self, joint: Joint, values: Reading) -> frozenset[str]:
        if _ALERT not in values.faults:
            return frozenset(values.faults)
        try:
            return frozenset(joint.servo.fault_names(self._bus.read(joint.id, "status")) or values.faults)
        except HardwareError:
            return frozenset(values.faults)


def _has(joint: Joint, first: str, last: str) -> bool:
    registers = joint.servo.registers
    return first in registers and last in registers and registers[first].address < registers[last].address
