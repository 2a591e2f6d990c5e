"""LeRobot's calibration files: read, checked, and written.

LeRobot homes a joint so that a pose which the person takes for its middle reads 2047, and takes lowest and highest
reading of the sweep after that, without unwrapping. A file holds no firmware, no serial number and no angle.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware.calibration import TICKS_PER_TURN, Calibration
from hardware.description import JointDescription, RobotDescription
from hardware.errors import HardwareError
from hardware.homing import Homing
from hardware.ranges import Ranges
from porl_robot.errors import UsageError

HOMED = 2047
"""The reading of LeRobot's middle pose."""

_KEYS = ("id", "drive_mode", "homing_offset", "range_min", "range_max")
_FULL_TURN = (0, TICKS_PER_TURN - 1)
_NEVER_SWEPT = {"so100": ("wrist_roll",), "so101": ("wrist_roll",), "koch": ("shoulder_pan", "wrist_roll")}


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file says of each joint, by name, in the arm's order.

    Attributes:
        homings: offsets and ranges.
        signs: 1 where ticks grow with LeRobot's angle, else -1.
        assumed: joints that LeRobot does not sweep; their range is the model's, around the pose they were homed in.
    """

    homings: Mapping[str, Homing]
    signs: Mapping[str, int]
    assumed: tuple[str, ...]


def read_lerobot(path: Path, robot: RobotDescription, ranges: Ranges) -> Imported:
    """The calibration that LeRobot stored at `path`.

    Raises:
        HardwareError: there is none, it is not LeRobot's, or it is that of another kind of arm.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise HardwareError(f"{path}: no calibration of LeRobot's that can be read ({error})") from error
    if not isinstance(content, dict) or set(content) != set(robot.names):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise HardwareError(f"{path}: has the joints {found}; {robot.name} has {', '.join(robot.names)}")
    homings, signs, assumed = {}, {}, []
    for joint in robot.joints:
        given = _entry(path, joint, content[joint.name], robot.protocol)
        homing = Homing(given["homing_offset"], given["range_min"], given["range_max"])
        measured = joint.continuous or joint.name not in _NEVER_SWEPT.get(robot.name, ())
        if not measured and (homing.range_min, homing.range_max) == _FULL_TURN:
            homing = _around_homed(homing.offset, ranges[joint.name])
            assumed.append(joint.name)
        homings[joint.name] = homing
        signs[joint.name] = -1 if given["drive_mode"] else 1
    return Imported(homings, signs, tuple(assumed))


def write_lerobot(path: Path, robot: RobotDescription, calibration: Calibration) -> None:
    """Stores `calibration` as LeRobot reads it. A Dynamixel servo would itself turn round with drive_mode 1: it gets 0.

    Raises:
        UsageError: `path` exists, or cannot be written.
    """
    content = {
        name: {
            "id": joint.id,
            "drive_mode": int(robot.protocol == "feetech" and joint.sign < 0),
            "homing_offset": joint.homing_offset,
            "range_min": joint.range_min,
            "range_max": joint.range_max,
        }
        for name, joint in calibration.joints.items()
    }
    try:
        with path.open("x") as file:
            file.write(json.dumps(content, indent=4) + "\n")
    except FileExistsError as error:
        raise UsageError(f"export={path}: exists already; give a new name") from error
    except OSError as error:
        raise UsageError(
            f"export={path}: cannot be written ({error.strerror}); give a name in a folder of yours"
        ) from error


def _entry(path: Path, joint: JointDescription, given: Any, protocol: str) -> Mapping[str, int]:
    if not isinstance(given, dict) or set(given) != set(_KEYS):
        raise HardwareError(f"{path}: {joint.name} holds {given!r}; LeRobot's entries have {', '.join(_KEYS)}")
    for key, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise HardwareError(f"{path}: {joint.name}.{key} is {value!r}, expected a whole number")
    if given["id"] != joint.id:
        raise HardwareError(f"{path}: {joint.name} has id {given['id']}, here it is {joint.id}; this is another arm's")
    if given["drive_mode"] not in (0, 1) or (given["drive_mode"] and protocol == "dynamixel"):
        raise HardwareError(
            f"{path}: {joint.name}.drive_mode is {given['drive_mode']}; expected 0, or 1 on a Feetech servo; calibrate "
            "the arm by hand instead"
        )
    return given


def _around_homed(offset: int, limits: tuple[float, float]) -> Homing:
    half = (limits[1] - limits[0]) / 2 * TICKS_PER_TURN / math.tau
    return Homing(offset, max(round(HOMED - half), 0), min(round(HOMED + half), TICKS_PER_TURN - 1))
