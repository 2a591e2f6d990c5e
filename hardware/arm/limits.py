"""How far and how fast the joints of an arm may go."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hardware.arm.joint import Joint
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from porl_robot.safety import JointLimits

MARGIN = 0.035
"""Between the ends of the calibrated range and the goals that are allowed [rad]: two degrees."""

_TOLERANCE = 0.1
"""By which a calibrated range may exceed the model's [rad]; stops and zeros are not known better."""


def joint_limits(robot: RobotDescription, joints: Sequence[Joint], speed: float = 1.0) -> JointLimits:
    """Limits from the calibrated ranges less `MARGIN`, and `speed` (a share in (0, 1]) of the robot's own."""
    if not 0.0 < speed <= 1.0:
        raise ValueError(f"speed {speed} is outside (0, 1]")
    ends = np.array([joint.calibration.limits for joint in joints])
    ones = np.ones(len(joints))
    return JointLimits(
        names=tuple(joint.name for joint in joints),
        lower=ends[:, 0] + MARGIN,
        upper=ends[:, 1] - MARGIN,
        velocity=speed * robot.velocity * ones,
        acceleration=speed * robot.acceleration * ones,
        jerk=speed * robot.jerk * ones,
    )


def require_within_model(robot: RobotDescription, joints: Sequence[Joint], ranges: Sequence[tuple[float, float]]) -> None:
    """Refuses a calibration whose range exceeds the model's. `ranges`: per joint, lower and upper end [rad].

    Raises:
        HardwareError: names the joint and both ranges.
    """
    for joint, (lower, upper) in zip(joints, ranges, strict=True):
        own = joint.calibration.limits
        if own[0] < lower - _TOLERANCE or own[1] > upper + _TOLERANCE:
            raise HardwareError(
                f"{joint.name}: calibrated to {_degrees(own)}, the model of {robot.name} goes {_degrees((lower, upper))}; "
                "calibrate this arm again, or give the robot= that it is"
            )


def _degrees(ends: tuple[float, float]) -> str:
    return f"{math.degrees(ends[0]):.0f} to {math.degrees(ends[1]):.0f} deg"
