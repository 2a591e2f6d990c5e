"""Looks for faults in what an arm says of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hardware.arm.faults import Fault, FaultKind
from hardware.arm.stuck import StuckJoints
from hardware.arm.telemetry import Telemetry
from hardware.description import JointDescription
from hardware.servos import SERVOS
from porl_robot.command import FloatArray

WARM, HOT = 55.0, 65.0
"""Of a servo [deg C]: warned of, and stopped at."""

SAG = 0.8
"""Share of the nominal supply below which a servo is about to reset."""

FULL, FULL_FOR = 0.95, 0.05
"""A joint whose servo gives so much of its duty for so long [s] is blocked: a free one has arrived by then."""

_FLAGGED = {
    "overload": (FaultKind.OVERLOAD, "is overloaded and has cut its torque"),
    "overheat": (FaultKind.OVERHEATED, "has overheated and has cut its torque"),
    "over-current": (FaultKind.OVERLOAD, "has drawn too much current and has cut its torque"),
    "voltage": (FaultKind.VOLTAGE, "has a supply voltage outside its limits"),
    "encoder": (FaultKind.SERVO, "reports a broken encoder"),
    "electrical shock": (FaultKind.SERVO, "reports an electrical shock or a short"),
}


_LASTING = ("overload", "overheat")
"""Flags that a Dynamixel servo keeps, without torque, until its supply has been off; a Feetech servo drops them."""


class Watch:
    """Judges one cycle after the other.

    Args:
        joints: of the arm. One that grips may push against what it holds: of its drive and its standing still only the
            servo itself is the judge.
        supplies: nominal, of their servos [V].
    """

    def __init__(self, joints: Sequence[JointDescription], supplies: Sequence[float]) -> None:
        self._names, self._supplies = [joint.name for joint in joints], np.array(supplies)
        self._keeps = [joint.servo in SERVOS and SERVOS[joint.servo].protocol == "dynamixel" for joint in joints]
        self._grips = np.array([joint.grips for joint in joints])
        self._stuck = StuckJoints(joints)
        self._full_since: float | None = None
        self._reported: FaultKind | None = None
        self._warm = np.zeros(len(joints), dtype=bool)

    def fault(self, telemetry: Telemetry, goal: FloatArray) -> Fault | None:
        """A fault, or None; what the servos report must be there in two cycles in a row.

        Args:
            goal: what the servos are to reach with their torque on, shape (n,) [rad].
        """
        reported = self._flagged(telemetry) or self._hot(telemetry) or self._sagging(telemetry)
        before, self._reported = self._reported, None if reported is None else reported.kind
        # A single byte of noise that passed a checksum is not to end an episode.
        if reported is not None and reported.kind is before:
            return reported
        return self._overloaded(telemetry) or self._stuck.fault(telemetry, goal)

    def warnings(self, telemetry: Telemetry) -> tuple[str, ...]:
        """What the operator should know before it becomes a fault; it must be there in two cycles in a row as well."""
        warm = telemetry.temperature >= WARM
        lasting, self._warm = np.flatnonzero(warm & self._warm), warm
        return tuple(f"{self._names[i]} is warmer than {WARM:.0f} deg C; the arm stops at {HOT:.0f}" for i in lasting)

    def begin(self) -> None:
        """Forgets the motion so far."""
        self._full_since = None
        self._stuck.begin()

    def _flagged(self, telemetry: Telemetry) -> Fault | None:
        for name, keeps, flags in zip(self._names, self._keeps, telemetry.flags, strict=True):
            for flag in sorted(flags):
                kind, words = _FLAGGED.get(flag, (FaultKind.SERVO, f"reports '{flag}'"))
                return Fault(FaultKind.SHUT_DOWN if keeps and flag in _LASTING else kind, f"{name} {words}", name)
        return None

    def _hot(self, telemetry: Telemetry) -> Fault | None:
        hottest = int(np.argmax(telemetry.temperature))
        if telemetry.temperature[hottest] < HOT:
            return None
        return Fault(
            FaultKind.OVERHEATED,
            f"{self._names[hottest]} is at {telemetry.temperature[hottest]:.0f} deg C of {HOT:.0f}",
            self._names[hottest],
        )

    def _sagging(self, telemetry: Telemetry) -> Fault | None:
        shares = telemetry.voltage / self._supplies
        lowest = int(np.argmin(shares))
        if shares[lowest] >= SAG:
            return None
        volts, nominal = telemetry.voltage[lowest], self._supplies[lowest]
        return Fault(FaultKind.VOLTAGE, f"{self._names[lowest]} gets {volts:.1f} V of {nominal:g} V: the supply sags")

    def _overloaded(self, telemetry: Telemetry) -> Fault | None:
        load = np.where(self._grips, 0.0, np.abs(telemetry.load))
        hardest = int(np.argmax(load))
        if load[hardest] < FULL:
            self._full_since = None
            return None
        if self._full_since is None:
            self._full_since = telemetry.heard
        if telemetry.heard - self._full_since < FULL_FOR:
            return None
        return Fault(
            FaultKind.OVERLOAD,
            f"{self._names[hardest]} has given {100 * load[hardest]:.0f} % of its drive for {FULL_FOR} s",
            self._names[hardest],
        )
