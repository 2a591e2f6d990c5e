"""What a servo's EPROM holds of a calibration, and what it has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hardware import insist
from hardware.bus import Bus
from hardware.calibration import JointCalibration
from hardware.description import JointDescription, Protocol, RobotDescription
from hardware.servos import SERVOS, ServoModel

Values = Mapping[str, int]
"""Registers of one servo, by name."""

_COMMON = ("status_level", "return_delay", "operating_mode", "homing_offset", "min_position", "max_position")
_OWN: Mapping[Protocol, tuple[str, ...]] = {"feetech": ("phase",), "dynamixel": ("drive_mode",)}
_MULTI_TURN, _REVERSED = 0x10, 0x01  # bits of phase and drive_mode

_FEETECH_POSITION, _DYNAMIXEL_POSITION, _DYNAMIXEL_EXTENDED = 0, 3, 4  # operating modes
_OFFSET_IN_ONE_TURN = 1024  # beyond it a Dynamixel servo ignores its offset in position mode
_LAST_TICK = 4095


@dataclass(frozen=True, slots=True)
class Change:
    """A register whose servo holds something else than it is to hold."""

    joint: str
    register: str
    held: int
    wanted: int


def read_held(bus: Bus, robot: RobotDescription) -> dict[str, dict[str, int]]:
    """What every joint's servo holds of a calibration, by joint."""
    names = (*_COMMON, *_OWN[robot.protocol])
    return {joint.name: {name: insist.read(bus, joint.id, name) for name in names} for joint in robot.joints}


def to_hold(servo: ServoModel, joint: JointCalibration, held: Values) -> dict[str, int]:
    """What the servo is to hold for `joint`; bits that are not the calibration's stay as `held`."""
    values = {
        "status_level": servo.acknowledging,
        "return_delay": 0,
        "homing_offset": joint.homing_offset,
        "min_position": joint.range_min,
        "max_position": joint.range_max,
    }
    if servo.protocol == "feetech":
        return {**values, "operating_mode": _FEETECH_POSITION, "phase": held["phase"] & ~_MULTI_TURN}
    mode = _DYNAMIXEL_EXTENDED if counts_turns(servo, joint) else _DYNAMIXEL_POSITION
    return {**values, "operating_mode": mode, "drive_mode": held["drive_mode"] & ~_REVERSED}


def counts_turns(servo: ServoModel, joint: JointCalibration) -> bool:
    """Whether `servo` has to count turns: in one, a Dynamixel servo ignores a large offset and goes over no seam."""
    if servo.protocol == "feetech":
        return False
    lowest, highest = (end - joint.homing_offset for end in (joint.range_min, joint.range_max))
    return abs(joint.homing_offset) > _OFFSET_IN_ONE_TURN or lowest < 0 or highest > _LAST_TICK


def reversals(robot: RobotDescription, held: Mapping[str, Values]) -> list[Change]:
    """What has to be written so that no servo counts backwards: its offset means another thing while it does."""
    return [
        Change(name, "drive_mode", values["drive_mode"], values["drive_mode"] & ~_REVERSED)
        for name, values in held.items()
        if robot.protocol == "dynamixel" and values["drive_mode"] & _REVERSED
    ]


def goals_taken(bus: Bus, joint: JointDescription) -> tuple[int, int] | None:
    """The smallest and the largest goal that a servo takes [ticks]; None where it refuses none."""
    if SERVOS[joint.servo].protocol == "feetech":
        return None
    if insist.read(bus, joint.id, "operating_mode") != _DYNAMIXEL_POSITION:
        return None
    return insist.read(bus, joint.id, "min_position"), insist.read(bus, joint.id, "max_position")


def effective_offset(protocol: Protocol, held: Values) -> int:
    """The offset that is part of what the servo reports now [ticks]."""
    offset = held["homing_offset"]
    one_turn = protocol == "dynamixel" and held["operating_mode"] == _DYNAMIXEL_POSITION
    return 0 if one_turn and abs(offset) > _OFFSET_IN_ONE_TURN else offset


def changes(
    robot: RobotDescription, joints: Mapping[str, JointCalibration], held: Mapping[str, Values]
) -> list[Change]:
    """Every register in which the servos differ from `joints`."""
    return [
        Change(each.name, register, held[each.name][register], value)
        for each in robot.joints
        for register, value in to_hold(SERVOS[each.servo], joints[each.name], held[each.name]).items()
        if held[each.name][register] != value
    ]
