"""The calibration of a virtual arm: a file for the arms we ship, otherwise one made from the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from hardware.calibration import CENTRE, TICKS_PER_TURN, Calibration, JointCalibration, load_calibration
from hardware.description import RobotDescription
from porl_robot.paths import data_dir
from sim.virtual_arm.drive import TICKS_PER_RADIAN
from sim.virtual_arm.eprom import DYNAMIXEL_FIRMWARE, FEETECH_FIRMWARE

Mounted = Mapping[str, tuple[int, int]]
"""Homing offset [ticks] and sign of each joint, by its name."""


def serial_of(robot: RobotDescription) -> str:
    """What stands in for the serial number of the USB adapter."""
    return f"virtual-{robot.name}"


def shipped_calibration(robot: RobotDescription) -> Path | None:
    """The file that comes with this very arm, or None."""
    path = data_dir("calibration") / f"{serial_of(robot)}.json"
    if not path.is_file():
        return None
    fits = {name: (joint.id, joint.servo) for name, joint in load_calibration(path).joints.items()}
    return path if fits == {joint.name: (joint.id, joint.servo) for joint in robot.joints} else None


def calibration_from(
    robot: RobotDescription, lower: Sequence[float], upper: Sequence[float], mounted: Mounted
) -> Calibration:
    """The calibration of an arm whose joints go from `lower` to `upper` [rad]; joints that `mounted` lacks are
    mounted straight."""
    joints = {}
    for joint, low, high in zip(robot.joints, lower, upper, strict=True):
        offset, sign = mounted.get(joint.name, (0, 1))
        half = math.floor((high - low) / 2 * TICKS_PER_RADIAN)
        joints[joint.name] = JointCalibration(
            id=joint.id,
            servo=joint.servo,
            firmware=FEETECH_FIRMWARE if robot.protocol == "feetech" else DYNAMIXEL_FIRMWARE,
            homing_offset=offset,
            range_min=max(CENTRE - half, 0),
            range_max=min(CENTRE + half, TICKS_PER_TURN - 1),
            sign=sign,
            middle=(low + high) / 2,
        )
    return Calibration(robot.name, serial_of(robot), date.today().isoformat(), joints)
