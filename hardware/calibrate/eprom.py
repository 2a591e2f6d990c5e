"""What a servo's EPROM holds of a calibration, and what it is to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hardware import insist
from hardware.bus import Bus
from hardware.calibration import JointCalibration
from hardware.description import Protocol, RobotDescription
from hardware.errors import HardwareError
from hardware.servos import SERVOS, ServoModel
from hardware.uninterrupted import uninterrupted

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
    mode = _DYNAMIXEL_POSITION if _fits_one_turn(joint) else _DYNAMIXEL_EXTENDED
    return {**values, "operating_mode": mode, "drive_mode": held["drive_mode"] & ~_REVERSED}


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


def by_joint(found: Sequence[Change], form: str) -> list[str]:
    """One line per joint, as in "elbow_flex: REGISTER in FORM, ..."; `form` has places for `held` and `wanted`."""
    lines: dict[str, list[str]] = {}
    for each in found:
        lines.setdefault(each.joint, []).append(f"{each.register} {form.format(held=each.held, wanted=each.wanted)}")
    return [f"{joint}: {', '.join(registers)}" for joint, registers in lines.items()]


def write_changes(bus: Bus, robot: RobotDescription, wanted: list[Change]) -> None:
    """Writes registers of servos without torque and reads each of them back. Ctrl-C waits until it is done.

    Raises:
        HardwareError: one does not hold what was written; says how far it came.
    """
    ids = {joint.name: joint.id for joint in robot.joints}
    with uninterrupted():
        for index, change in enumerate(wanted):
            try:
                if robot.protocol == "feetech":
                    insist.write(bus, ids[change.joint], "lock", 0)
                insist.write(bus, ids[change.joint], change.register, change.wanted)
            except HardwareError as error:
                raise HardwareError(f"{_half_written(wanted, index)}: {error}") from error


def _fits_one_turn(joint: JointCalibration) -> bool:
    """Whether a Dynamixel servo applies the offset in position mode, and its encoder's seam is out of the way."""
    lowest, highest = (end - joint.homing_offset for end in (joint.range_min, joint.range_max))
    return abs(joint.homing_offset) <= _OFFSET_IN_ONE_TURN and lowest >= 0 and highest <= _LAST_TICK


def _half_written(wanted: list[Change], failed: int) -> str:
    at = wanted[failed]
    done = sorted({change.joint for change in wanted[:failed]} - {at.joint})
    rest = sorted({change.joint for change in wanted[failed:]} - {at.joint})
    said = [f"{at.joint} half (at {at.register})", *(f"{name} new" for name in done), *(f"{name} old" for name in rest)]
    return f"the EPROM is half written ({', '.join(said)}); mend the cause and calibrate again before the arm moves"
