"""Arms without a wire, for tests of what lies behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from hardware.calibration import Calibration, load_calibration
from hardware.description import RobotDescription
from porl_robot.paths import data_dir
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.calibration import serial_of
from sim.virtual_arm.eprom import assembled, calibrated

MakeArm = Callable[..., VirtualArm]


def described(name: str) -> RobotDescription:
    """An arm that we ship."""
    made: RobotDescription = instantiate(OmegaConf.load(data_dir("configs") / "robot" / f"{name}.yaml"))
    return made


def calibration(robot: RobotDescription) -> Calibration:
    """The calibration that we ship with it."""
    return load_calibration(data_dir("calibration") / f"{serial_of(robot)}.json")


@pytest.fixture
def make_arm() -> MakeArm:
    """Makes a virtual arm by the name of its robot; `new=True` for one that was never calibrated."""

    def make(name: str, new: bool = False, **kept: Any) -> VirtualArm:
        robot = described(name)
        known = calibration(robot)
        servos = assembled(robot) if new else calibrated(robot, known)
        return VirtualArm(robot, known, [{**servo, **kept} for servo in servos], save=lambda: None)

    return make
