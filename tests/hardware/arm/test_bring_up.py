"""An arm that is not what it is taken for is refused in one line, and its torque stays off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hardware import insist
from hardware.arm.driver import open_arm
from hardware.arm.limits import MARGIN, with_ranges
from hardware.bus import open_bus
from hardware.calibration import Calibration
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from sim.virtual_arm.launch import LaunchedArm

Change = Callable[[RobotDescription], RobotDescription]


def refused(robot: RobotDescription, path: Path, virtual: LaunchedArm) -> str:
    with pytest.raises(HardwareError) as caught:
        open_arm(robot, path, Clock()).close()
    assert not any(virtual.state()["driven"])
    reason = str(caught.value)
    assert "\n" not in reason
    return reason


def with_joint(calibration: Calibration, tmp_path: Path, **changes: Any) -> Path:
    """The file of a calibration whose elbow differs."""
    joints = {**calibration.joints, "elbow_flex": replace(calibration.joints["elbow_flex"], **changes)}
    path = tmp_path / "other.json"
    replace(calibration, joints=joints).save(path)
    return path


def servo(robot: RobotDescription, name: str) -> RobotDescription:
    first, *rest = robot.joints
    return replace(robot, joints=(replace(first, servo=name), *rest))


@pytest.mark.parametrize(
    ("entry", "register", "expected"),
    [
        ("homing_offset", "homing_offset", 77),
        ("range_min", "min_position", 600),
        ("range_max", "max_position", 3500),
    ],
)
def test_the_calibration_of_another_arm(
    virtual: LaunchedArm,
    robot: RobotDescription,
    calibration: Calibration,
    tmp_path: Path,
    entry: str,
    register: str,
    expected: int,
) -> None:
    found = getattr(calibration.joints["elbow_flex"], entry)
    reason = refused(robot, with_joint(calibration, tmp_path, **{entry: expected}), virtual)
    assert f"elbow_flex (id 3): {register} is {found}, expected {expected}" in reason
    assert "run porl-robot calibrate" in reason


def test_multi_turn_feedback(virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path) -> None:
    with closing(open_bus(robot, Clock())) as bus:
        insist.write(bus, 3, "phase", 28)
    try:
        reason = refused(robot, calibration_path, virtual)
        assert "elbow_flex (id 3): phase is 28, expected 12" in reason and "run porl-robot calibrate" in reason
    finally:
        with closing(open_bus(robot, Clock())) as bus:
            insist.write(bus, 3, "phase", 12)


def test_a_range_outside_the_model(
    virtual: LaunchedArm, robot: RobotDescription, calibration: Calibration, tmp_path: Path
) -> None:
    path = with_joint(calibration, tmp_path, middle=0.8)
    assert "elbow_flex: calibrated to" in refused(with_ranges(robot), path, virtual)


def test_goals_stay_inside_the_model_and_a_margin_away_from_the_calibrated_ends(
    robot: RobotDescription, calibration_path: Path, calibration: Calibration
) -> None:
    described = with_ranges(robot)
    arm = open_arm(described, calibration_path, Clock())
    arm.close()
    for place, joint in enumerate(described.joints):
        lower, upper = calibration.joints[joint.name].limits
        assert joint.limits is not None
        assert arm.limits.lower[place] == max(lower + MARGIN, joint.limits[0])
        assert arm.limits.upper[place] == min(upper - MARGIN, joint.limits[1])


def test_another_firmware(
    virtual: LaunchedArm, robot: RobotDescription, calibration: Calibration, tmp_path: Path
) -> None:
    reason = refused(robot, with_joint(calibration, tmp_path, firmware="9.9"), virtual)
    assert "elbow_flex (id 3): firmware" in reason and "9.9" in reason


def test_another_kind_of_arm(
    virtual: LaunchedArm, robot: RobotDescription, calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "so100.json"
    replace(calibration, robot="so100").save(path)
    assert "is that of a so100, robot=so101 was given" in refused(robot, path, virtual)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda robot: servo(robot, "STS3250"), "shoulder_pan: calibrated as a STS3215 with id 1"),
        (lambda robot: replace(robot, supply=7.4), "gets 12.0 V, robot=so101 is made for 7.4"),
        (lambda robot: replace(robot, baud=500_000), "no servo answers at 500000 baud"),
        (lambda robot: replace(robot, port="/dev/ttyUSB77"), "/dev/ttyUSB77: no such port"),
    ],
)
def test_a_description_of_another_arm(
    virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path, change: Change, words: str
) -> None:
    assert words in refused(change(robot), calibration_path, virtual)


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("dead ids=3", "elbow_flex (id 3) does not answer"),
        ("duplicate ids=4,5", "(id 5) does not answer"),
    ],
)
def test_missing_and_doubled_ids(
    virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path, faults: str, words: str
) -> None:
    virtual.tell(faults)
    reason = refused(robot, calibration_path, virtual)
    assert words in reason and "no two servos have one id" in reason


def test_a_busy_port_names_its_holder(virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path) -> None:
    holder = open_bus(robot, Clock())
    assert f"{robot.port}: in use by process" in refused(robot, calibration_path, virtual)
    holder.close()


def test_without_a_calibration(virtual: LaunchedArm, robot: RobotDescription, tmp_path: Path) -> None:
    assert "no such calibration" in refused(robot, tmp_path / "none.json", virtual)
