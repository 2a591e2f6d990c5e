"""Looks for faults in what an arm says of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hardware.arm.faults import Fault, FaultKind
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

_FROZEN, _SETTING_OUT, _AWAY = 0.0008, 0.02, 0.06
_FROZEN_FOR = 0.06
"""A joint is stuck that has not moved by `_FROZEN` [rad] since its goal was `_SETTING_OUT` away, at least `_FROZEN_FOR`
[s] ago, while the goal has gone on to be `_AWAY`."""

_LYING = 0.12
"""Stands for `_AWAY` until a joint has first set out: an arm that was let go lies on something, and has to take up its
weight, and to come free, before it moves (.09 rad at most in sixty trials on a virtual arm)."""

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
        self._still: FloatArray | None = None
        self._full_since: float | None = None
        self._reported: FaultKind | None = None

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
        return self._overloaded(telemetry) or self._stuck(telemetry, goal)

    def warnings(self, telemetry: Telemetry) -> tuple[str, ...]:
        """What the operator should know before it becomes a fault."""
        warm = np.flatnonzero(telemetry.temperature >= WARM)
        return tuple(f"{self._names[i]} is warmer than {WARM:.0f} deg C; the arm stops at {HOT:.0f}" for i in warm)

    def begin(self) -> None:
        """Forgets the motion so far."""
        self._still = self._full_since = None

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

    def _stuck(self, telemetry: Telemetry, goal: FloatArray) -> Fault | None:
        """Whether a goal has run away from a position that does not change at all.

        Where a joint turns round, its position stands for a moment as well, but the goal comes nearer then.
        """
        error, now = np.abs(goal - telemetry.position), telemetry.measured
        if self._still is None:
            self._still, self._error = telemetry.position.copy(), error
            self._since = np.full(len(self._names), now)
            self._origin, self._has_set_out = self._still, np.zeros(len(self._names), dtype=bool)
            return None
        moved = np.abs(telemetry.position - self._still) > _FROZEN
        self._still = np.where(moved, telemetry.position, self._still)
        self._error = np.where(moved, error, np.minimum(error, self._error))
        away = error - self._error
        self._since = np.where(away > _SETTING_OUT, self._since, now)
        frozen = now - self._since
        self._has_set_out |= np.abs(telemetry.position - self._origin) > _SETTING_OUT
        allowed = np.where(self._has_set_out, _AWAY, _LYING)
        stuck = np.flatnonzero((away > allowed) & (frozen > _FROZEN_FOR) & ~self._grips)
        if not len(stuck):
            return None
        joint = int(stuck[0])
        return Fault(
            FaultKind.STUCK,
            f"{self._names[joint]} has not moved for {frozen[joint]:.2f} s while its goal went {away[joint]:.2f} rad: "
            "blocked, or its encoder is stuck",
            self._names[joint],
        )
