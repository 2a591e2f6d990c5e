"""Switching the torque on without a jerk."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hardware import insist
from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.description import WATCHDOG_UNIT, DeadMan, Gains
from hardware.errors import OutOfRange
from hardware.servos.model import DRIVE_LIMITS

_LEANING = 0.05
"""A joint may stand so far outside its calibrated range [rad], pressed against its stop, and is led back inside."""

_OWN_PROFILE = {
    "feetech": ("acceleration", "goal_velocity", "goal_time"),
    "dynamixel": ("acceleration", "profile_velocity"),
}
"""The servo's own profile, off at 0: the host leads the goal itself."""


def torque_on(bus: Bus, joints: Sequence[Joint], gains: Gains, dead_man: DeadMan) -> dict[int, int]:
    """Gains and limits first, then goal := present, then torque, servo after servo, everything read back.

    Returns:
        The goals, by id [ticks].

    Raises:
        OutOfRange: a joint stands outside its range. No torque was switched on.
        HardwareError: a servo did not take a value. The torque of those before it may be on.
    """
    for joint in joints:
        _prepare(bus, joint, gains)
    loose = {joint.id: _place(bus, joint) for joint in joints if not insist.read(bus, joint.id, "torque_enable")}
    goals = {}
    for joint in joints:
        if joint.id in loose:
            _set(bus, joint, "goal_position", loose[joint.id])
        goals[joint.id] = insist.read(bus, joint.id, "goal_position")
        _set(bus, joint, "torque_enable", 1)
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", math.ceil(dead_man.stop_after / WATCHDOG_UNIT))
    return goals


def watchdogs_off(bus: Bus, joints: Sequence[Joint]) -> None:
    """Lets the bus fall silent without tripping a servo that is to hold.

    Raises:
        HardwareError: a servo does not answer.
    """
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", 0)


def _place(bus: Bus, joint: Joint) -> int:
    """Where a joint stands, or the end of its range next to it [ticks]: its servo goes nowhere else.

    Raises:
        OutOfRange: that is farther away than a joint that leans on its stop.
    """
    position = joint.radians(insist.read(bus, joint.id, "present_position"))
    place = joint.ticks(position)
    outside = abs(position - joint.radians(place))
    if outside > _LEANING:
        raise OutOfRange(
            f"{joint} stands {math.degrees(outside):.0f} deg outside its calibrated range; move it inside by hand"
        )
    return place


def _prepare(bus: Bus, joint: Joint, gains: Gains) -> None:
    if joint.servo.protocol == "feetech":
        # Gains lie in the EPROM there; while it is locked, a write lasts until power-down only.
        _set(bus, joint, "lock", 1)
    wanted = {"position_p": gains.p, "position_i": gains.i, "position_d": gains.d}
    wanted |= dict.fromkeys(_OWN_PROFILE[joint.servo.protocol], 0)
    limit, full = DRIVE_LIMITS[joint.servo.protocol]
    wanted[limit] = insist.read(bus, joint.id, full)
    if joint.servo.has_watchdog:
        wanted["bus_watchdog"] = 0
    for register, value in wanted.items():
        _set(bus, joint, register, value)


def _set(bus: Bus, joint: Joint, register: str, value: int) -> None:
    """Writes where it differs, and reads back."""
    if insist.read(bus, joint.id, register) != value:
        insist.write(bus, joint.id, register, value)
