"""One virtual arm for all tests of the driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.arm.driver import Arm, open_arm
from hardware.calibration import Calibration, load_calibration
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.manifest import read_manifest
from sim.virtual_arm.launch import LaunchedArm

from ...arms import described


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("virtual") / "arm") as arm:
        yield arm


@pytest.fixture
def virtual(launched: LaunchedArm) -> Iterator[LaunchedArm]:
    """The arm, with nothing wrong."""
    yield launched
    launched.tell("clear")


@pytest.fixture
def robot(virtual: LaunchedArm) -> RobotDescription:
    return described("so101", port=str(virtual.link))


@pytest.fixture
def calibration_path(virtual: LaunchedArm) -> Path:
    manifest = read_manifest(str(virtual.link))
    assert manifest is not None
    return Path(manifest.calibration)


@pytest.fixture
def calibration(calibration_path: Path) -> Calibration:
    return load_calibration(calibration_path)


@pytest.fixture
def arm(virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path) -> Iterator[Arm]:
    """The driver of the arm, limp in the end."""
    opened = open_arm(robot, calibration_path, Clock())
    yield opened
    virtual.tell("clear")
    opened.safe_stop("torque_off")
    opened.close()
