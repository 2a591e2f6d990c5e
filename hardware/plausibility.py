"""Whether what was measured can be the arm that the model describes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hardware.calibration import TICKS_PER_TURN
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.homing import LARGEST_TRAVEL, Homing
from hardware.ranges import Ranges

TOO_SHORT = 0.25
"""A travel may fall so far short of the model's range [rad]; half of what is missing is an error of the zero."""

TOO_LONG = 0.4
"""And may exceed it so far [rad]: models keep clear of the stops, by 20 degrees at the SO-101's wrist_roll."""


def require_plausible(robot: RobotDescription, ranges: Ranges, homings: Mapping[str, Homing]) -> None:
    """Holds every travel against the model.

    Raises:
        HardwareError: one is too short, too long, or more than joints with stops have.
    """
    for described in robot.joints:
        homing = homings[described.name]
        if not described.continuous:
            _require_travel(robot.name, described.name, homing.range_max - homing.range_min, ranges[described.name])


def _require_travel(robot: str, name: str, travel: int, limits: tuple[float, float]) -> None:
    measured, expected = travel * math.tau / TICKS_PER_TURN, limits[1] - limits[0]
    both = f"{name}: travelled {math.degrees(measured):.0f} deg, the model of {robot} has {math.degrees(expected):.0f}"
    if measured < expected - TOO_SHORT:
        raise HardwareError(
            f"{both} (at least {math.degrees(expected - TOO_SHORT):.0f} expected): move it from stop to stop, or give "
            "the robot= that this arm is"
        )
    if measured > expected + TOO_LONG or travel > LARGEST_TRAVEL:
        most = min(expected + TOO_LONG, LARGEST_TRAVEL * math.tau / TICKS_PER_TURN)
        raise HardwareError(
            f"{both} (at most {math.degrees(most):.0f} expected): its servo slips, sits in another joint, or robot= is "
            "another arm"
        )
