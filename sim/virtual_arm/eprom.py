"""What the servos of a virtual arm remember: as they come, as calibrated, and in a file between two runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hardware.calibration import Calibration, JointCalibration
from hardware.description import JointDescription, RobotDescription
from hardware.eprom import to_hold
from hardware.errors import HardwareError
from hardware.servos import SERVOS
from sim.virtual_arm.memory import RAM_RESTORE

Values = dict[str, int]
"""Registers of one servo that differ from a new one's, by name."""

FEETECH_FIRMWARE = "3.10"
DYNAMIXEL_FIRMWARE = "52"

_VERSION = 1
_STS_FOR_12_VOLT = 8.0
_HIGHEST_AT_12_VOLT = 140


def assembled(robot: RobotDescription) -> list[Values]:
    """New servos, of which each was given its id and the arm's baud and nothing else.

    Raises:
        HardwareError: a servo does not know the baud.
    """
    return [_assembled(robot, joint) for joint in robot.joints]


def calibrated(robot: RobotDescription, calibration: Calibration) -> list[Values]:
    """The same servos after `calibration` and the arm's gains were written into them.

    Raises:
        HardwareError: as in `assembled`.
    """
    return [_calibrated(robot, joint, calibration.joints[joint.name]) for joint in robot.joints]


def load_eprom(path: Path, robot: RobotDescription) -> list[Values]:
    """What an earlier run of this arm left in `path`.

    Raises:
        HardwareError: the file cannot be read, or belongs to another arm.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            raise ValueError(f"version {content['version']}, expected {_VERSION}")
        servos = [{str(name): int(value) for name, value in each["registers"].items()} for each in content["servos"]]
        kinds = [str(each["servo"]) for each in content["servos"]]
        for kind, values in zip(kinds, servos, strict=True):
            for name, value in values.items():
                SERVOS[kind].registers[name].encode(value, SERVOS[kind].order)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise HardwareError(f"eprom={path}: cannot be read ({error}); remove it to begin with a new arm") from error
    if kinds != [joint.servo for joint in robot.joints]:
        raise HardwareError(f"eprom={path}: is of another arm ({', '.join(kinds)}); give another file, or remove it")
    return servos


def save_eprom(path: Path, kinds: Sequence[str], servos: Sequence[Values]) -> None:
    """Writes what `load_eprom` reads; `kinds` are the servos' names.

    Raises:
        HardwareError: the file cannot be written.
    """
    listed: list[dict[str, Any]] = [
        {"servo": kind, "registers": values} for kind, values in zip(kinds, servos, strict=True)
    ]
    content = {"version": _VERSION, "servos": listed}
    # In one stroke, but without waiting for the disk: no servo is silent for so long.
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        temporary.replace(path)
    except OSError as error:
        raise HardwareError(f"eprom={path}: cannot be written ({error.strerror})") from error


def _assembled(robot: RobotDescription, joint: JointDescription) -> Values:
    model = SERVOS[joint.servo]
    codes = {baud: code for code, baud in model.bauds.items()}
    if robot.baud not in codes:
        raise HardwareError(f"robot.baud={robot.baud}: {joint.servo} knows {', '.join(map(str, sorted(codes)))} bit/s")
    values = {"id": joint.id, "baud_rate": codes[robot.baud]}
    if model.protocol == "dynamixel":
        return {**values, "firmware_version": int(DYNAMIXEL_FIRMWARE)}
    major, minor = FEETECH_FIRMWARE.split(".")
    values |= {"firmware_major": int(major), "firmware_minor": int(minor)}
    if robot.supply_of(joint) > _STS_FOR_12_VOLT:
        values["max_voltage"] = _HIGHEST_AT_12_VOLT
    return values


def _calibrated(robot: RobotDescription, joint: JointDescription, known: JointCalibration) -> Values:
    model = SERVOS[joint.servo]
    new = {name: register.default or 0 for name, register in model.registers.items()}
    gains = {"position_p": robot.gains.p, "position_i": robot.gains.i, "position_d": robot.gains.d}
    values = {**_assembled(robot, joint), **to_hold(model, known, new), **gains}
    return {**values, "startup_configuration": RAM_RESTORE} if robot.protocol == "dynamixel" else values
