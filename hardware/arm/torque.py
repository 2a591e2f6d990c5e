"""Switching the torque on without a jerk."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.description import DeadMan, Gains
from hardware.errors import HardwareError

_WATCHDOG_UNIT = 0.02
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
        HardwareError: a servo did not take a value. The torque of those before it may be on.
    """
    for joint in joints:
        _prepare(bus, joint, gains)
    goals = {}
    for joint in joints:
        if not bus.read(joint.id, "torque_enable"):
            _set(bus, joint, "goal_position", bus.read(joint.id, "present_position"))
        goals[joint.id] = bus.read(joint.id, "goal_position")
        _set(bus, joint, "torque_enable", 1)
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", math.ceil(dead_man.stop_after / _WATCHDOG_UNIT))
    return goals


def watchdogs_off(bus: Bus, joints: Sequence[Joint]) -> None:
    """Lets the bus fall silent without tripping a servo that is to hold.

    Raises:
        HardwareError: a servo does not answer.
    """
    for joint in joints:
        if joint.servo.has_watchdog:
            _set(bus, joint, "bus_watchdog", 0)


def _prepare(bus: Bus, joint: Joint, gains: Gains) -> None:
    if joint.servo.protocol == "feetech":
        # Gains lie in the EPROM there; while it is locked, a write lasts until power-down only.
        _set(bus, joint, "lock", 1)
    wanted = {"position_p": gains.p, "position_i": gains.i, "position_d": gains.d}
    wanted |= dict.fromkeys(_OWN_PROFILE[joint.servo.protocol], 0)
    if "torque_limit" in joint.servo.registers:
        wanted["torque_limit"] = bus.read(joint.id, "max_torque")
    if joint.servo.has_watchdog:
        wanted["bus_watchdog"] = 0
    for register, value in wanted.items():
        _set(bus, joint, register, value)


def _set(bus: Bus, joint: Joint, register: str, value: int) -> None:
    """Writes where it differs, and reads back."""
    if bus.read(joint.id, register) == value:
        return
    bus.write(joint.id, register, value)
    found = bus.read(joint.id, register)
    if found != value:
        raise HardwareError(f"{joint}: {register} stays {found}, {value} was written")
