"""How far and how fast the joints of an arm may go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hardware.arm.joint import Joint
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.plausibility import TOO_LONG
from hardware.ranges import joint_ranges
from porl_robot.safety import JointLimits

MARGIN = 0.035
"""Between the ends of the calibrated range and the goals that are allowed [rad]: two degrees."""

_Ends = tuple[float, float]


def joint_limits(robot: RobotDescription, joints: Sequence[Joint], speed: float = 1.0) -> JointLimits:
    """Ranges as calibrated, less `MARGIN`, inside the robot's own; of its speeds the share `speed`, in (0, 1]."""
    if not 0.0 < speed <= 1.0:
        raise ValueError(f"speed {speed} is outside (0, 1]")
    ones = np.ones(len(joints))
    ends = np.array([_allowed(robot, joint) for joint in joints])
    return JointLimits(
        names=tuple(joint.name for joint in joints),
        lower=ends[:, 0],
        upper=ends[:, 1],
        velocity=speed * robot.velocity * ones,
        acceleration=speed * robot.acceleration * ones,
        jerk=speed * robot.jerk * ones,
    )


def with_ranges(robot: RobotDescription) -> RobotDescription:
    """`robot` with the ranges of its model written out, for a process that has no use for models.

    Raises:
        UserError: the model cannot be read.
    """
    ranges = joint_ranges(robot)
    joints = (replace(each, lower=ranges[each.name][0], upper=ranges[each.name][1]) for each in robot.joints)
    return replace(robot, joints=tuple(joints))


def require_within_model(robot: RobotDescription, joints: Sequence[Joint]) -> None:
    """Refuses a calibration whose range exceeds the robot's by more than stops and zeros are known.

    Raises:
        HardwareError: names the joint and both ranges.
    """
    for described, joint in zip(robot.joints, joints, strict=True):
        own, model = joint.calibration.limits, described.limits
        if model is not None and (own[0] < model[0] - TOO_LONG or own[1] > model[1] + TOO_LONG):
            raise HardwareError(
                f"{joint.name}: calibrated to {_degrees(own)}, the model of {robot.name} goes {_degrees(model)}; "
                "calibrate this arm again, or give the robot= that it is"
            )


def _allowed(robot: RobotDescription, joint: Joint) -> _Ends:
    lower, upper = joint.calibration.limits
    described = next(each for each in robot.joints if each.name == joint.name)
    least, most = described.limits or (-math.inf, math.inf)
    return max(lower + MARGIN, least), min(upper - MARGIN, most)


def _degrees(ends: _Ends) -> str:
    return f"{math.degrees(ends[0]):.0f} to {math.degrees(ends[1]):.0f} deg"
