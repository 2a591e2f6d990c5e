"""Arms without a wire, for tests of what lies behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hardware.calibration import Calibration, load_calibration
from hardware.description import RobotDescription
from porl_robot.paths import data_dir
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.calibration import serial_of
from sim.virtual_arm.eprom import assembled, calibrated

from ... import arms


def _known(name: str) -> Calibration:
    return load_calibration(data_dir("calibration") / f"{serial_of(arms.described(name))}.json")


@pytest.fixture
def described() -> Callable[[str], RobotDescription]:
    """Gives an arm that we ship, by its name."""
    return arms.described


@pytest.fixture
def known() -> Callable[[str], Calibration]:
    """Gives the calibration that we ship with it."""
    return _known


@pytest.fixture
def make_arm() -> Callable[..., VirtualArm]:
    """Makes a virtual arm by its name; `new=True` for one that was never calibrated, others for its EPROM."""

    def make(name: str, new: bool = False, **kept: Any) -> VirtualArm:
        robot = arms.described(name)
        servos = assembled(robot) if new else calibrated(robot, _known(name))
        return VirtualArm(robot, _known(name), [{**servo, **kept} for servo in servos], save=lambda: None)

    return make
