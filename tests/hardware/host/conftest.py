"""Virtual arms and hosts for the tests of the arm host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.arm.limits import with_ranges
from hardware.description import DeadMan, EndState, RobotDescription
from hardware.host.client import HostClient
from hardware.manifest import read_manifest
from sim.virtual_arm.launch import LaunchedArm

from ...arms import described

MakeClient = Callable[..., HostClient]


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
    made = described("so101", port=str(virtual.link))
    return with_ranges(replace(made, dead_man=DeadMan(end_state="torque_off")))


@pytest.fixture
def calibration_path(virtual: LaunchedArm) -> Path:
    manifest = read_manifest(str(virtual.link))
    assert manifest is not None
    return Path(manifest.calibration)


@pytest.fixture
def client(virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path) -> Iterator[MakeClient]:
    """Starts a host that ends with the test."""
    made: list[HostClient] = []

    def start(end_state: EndState = "torque_off") -> HostClient:
        made.append(HostClient(replace(robot, dead_man=DeadMan(end_state=end_state)), calibration_path))
        return made[-1]

    yield start
    for each in made:
        each.close()
