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

_SAG = 0.1
"""A driven joint may stand so far from its goal [rad] by its load; an SO-101 does by .06."""

_OWN_PROFILE = {
    "feetech": ("acceleration", "goal_velocity", "goal_time"),
    "dynamixel": ("acceleration", "profile_velocity"),
}
"""The servo's own profile, off at 0: the host leads the goal itself."""


def torque_on(bus: Bus, joints: Sequence[Joint], gains: Gains, dead_man: DeadMan) -> dict[int, int]:
    """Goal := present, then gains and limits, then torque, servo after servo, everything read back.

    A joint that is driven already keeps the goal it stands at: anew where it stands, it would sag a little more each
    time. One that is far from it, by a motion that was broken off or a weak drive, has to be taken back before.

    Returns:
        The goals, by id [ticks].

    Raises:
        OutOfRange: a joint stands outside its range. Nothing was written.
        HardwareError: a servo did not take a value. The torque of those before it may be on.
    """
    starts = {joint.id: _start(bus, joint) for joint in joints}
    for joint in joints:
        _prepare(bus, joint, gains, starts[joint.id])
    goals = {}
    for joint in joints:
        goals[joint.id] = insist.read(bus, joint.id, "goal_position")
        _set(bus, joint, "torque_enable", 1)
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", math.ceil(dead_man.stop_after / WATCHDOG_UNIT))
    return goals


def take_back(bus: Bus, joints: Sequence[Joint]) -> bool:
    """Calls driven joints back that are far from their goals, at the drive and the pace that they have; whether any is.

    Raises:
        OutOfRange: a joint stands outside its range. Nothing was written.
        HardwareError: a servo did not take its goal.
    """
    starts = [(joint, _start(bus, joint)) for joint in joints]
    away = [(joint, goal) for joint, goal in starts if _far(bus, joint, goal)]
    for joint, goal in away:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", 0)  # one that has tripped refuses goals
        _set(bus, joint, "goal_position", goal)
    return bool(away)


def watchdogs_off(bus: Bus, joints: Sequence[Joint]) -> None:
    """Lets the bus fall silent without tripping a servo that is to hold.

    Raises:
        HardwareError: a servo does not answer.
    """
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", 0)


def _start(bus: Bus, joint: Joint) -> int:
    """The goal that `joint` is to have when its torque is on [ticks].

    Raises:
        OutOfRange: it stands outside its range.
    """
    place = _place(bus, joint)
    if not insist.read(bus, joint.id, "torque_enable"):
        return place
    goal = insist.read(bus, joint.id, "goal_position")
    kept = joint.ticks(joint.radians(goal)) == goal and abs(joint.radians(goal) - joint.radians(place)) <= _SAG
    return goal if kept else place


def _far(bus: Bus, joint: Joint, start: int) -> bool:
    """Whether `joint` is driven to another goal than `start` [ticks]."""
    driven = insist.read(bus, joint.id, "torque_enable")
    return bool(driven) and insist.read(bus, joint.id, "goal_position") != start


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


def _prepare(bus: Bus, joint: Joint, gains: Gains, goal: int) -> None:
    if joint.servo.protocol == "feetech":
        # Gains lie in the EPROM there; while it is locked, a write lasts until power-down only.
        _set(bus, joint, "lock", 1)
    wanted = {"bus_watchdog": 0} if joint.servo.has_watchdog else {}
    wanted |= {"goal_position": goal, "position_p": gains.p, "position_i": gains.i, "position_d": gains.d}
    wanted |= dict.fromkeys(_OWN_PROFILE[joint.servo.protocol], 0)
    limit, full = DRIVE_LIMITS[joint.servo.protocol]
    wanted[limit] = insist.read(bus, joint.id, full)
    for register, value in wanted.items():
        _set(bus, joint, register, value)


def _set(bus: Bus, joint: Joint, register: str, value: int) -> None:
    """Writes where it differs, and reads back."""
    if insist.read(bus, joint.id, register) != value:
        insist.write(bus, joint.id, register, value)
