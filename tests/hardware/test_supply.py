"""An arm whose servos run on two supplies: each is held against its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.arm.driver import open_arm
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.manifest import read_manifest
from hardware.supply import lowest_voltages
from sim.virtual_arm.launch import LaunchedArm

from ..arms import described


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("virtual") / "arm", robot="koch") as arm:
        yield arm


@pytest.fixture
def koch(virtual: LaunchedArm) -> RobotDescription:
    return described("koch", port=str(virtual.link))


@pytest.fixture
def calibration(virtual: LaunchedArm) -> Path:
    manifest = read_manifest(str(virtual.link))
    assert manifest is not None
    return Path(manifest.calibration)


def test_an_arm_on_two_supplies_can_be_driven(koch: RobotDescription, calibration: Path) -> None:
    with closing(open_arm(koch, calibration, Clock())) as arm:
        arm.torque_on(0.3)
        for _ in range(5):
            assert arm.read()
        assert lowest_voltages(koch, arm.telemetry.voltage.tolist()) == "12.0 V of 12, 5.0 V of 5"
        arm.safe_stop("torque_off")


def test_a_servo_on_the_supply_of_others_is_refused_by_its_own_key(koch: RobotDescription, calibration: Path) -> None:
    joints = (*koch.joints[:2], replace(koch.joints[2], supply=3.8), *koch.joints[3:])
    with pytest.raises(HardwareError) as caught:
        open_arm(replace(koch, joints=joints), calibration, Clock()).close()
    assert "elbow_flex (id 3): gets 5.0 V, robot=koch is made for 3.8 there" in str(caught.value)
    assert "give robot.joints.elbow_flex.supply= where" in str(caught.value)
