"""LeRobot's files come in, go out, and are refused where they are not what they seem."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.calibration import Calibration
from hardware.description import RobotDescription, robot
from hardware.errors import HardwareError
from hardware.homing import Homing, calibrated
from hardware.lerobot import read_lerobot, write_lerobot
from porl_robot.errors import UsageError

RANGES = {"elbow_flex": (-1.69, 1.69), "wrist_roll": (-2.74, 2.84)}
FILE = {
    "elbow_flex": {"id": 1, "drive_mode": 0, "homing_offset": -709, "range_min": 950, "range_max": 3110},
    "wrist_roll": {"id": 2, "drive_mode": 1, "homing_offset": 1024, "range_min": 230, "range_max": 3870},
}


def arm(protocol: str = "feetech", name: str = "so101") -> RobotDescription:
    joints = {
        joint: {"id": number, "servo": "STS3215", "lower": lower, "upper": upper}
        for number, (joint, (lower, upper)) in enumerate(RANGES.items(), 1)
    }
    return robot(name, protocol, joints, {"p": 16, "i": 0, "d": 32}, 12.0, 3.0, 60.0, 3000.0)


def stored(folder: Path, content: Any) -> Path:
    path = folder / "lerobot.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(joint: str, **values: Any) -> dict[str, Any]:
    return FILE | {joint: FILE[joint] | values}


def imported(path: Path, described: RobotDescription) -> Calibration:
    made = read_lerobot(path, described, RANGES)
    joints = {
        joint.name: calibrated(joint, "3.10", made.homings[joint.name], made.signs[joint.name], RANGES[joint.name])
        for joint in described.joints
    }
    return Calibration(described.name, "ABC", "2026-11-22", joints)


def test_a_file_goes_out_as_it_came_in(tmp_path: Path) -> None:
    calibration = imported(stored(tmp_path, FILE), arm())
    write_lerobot(tmp_path / "out.json", arm(), calibration)
    assert json.loads((tmp_path / "out.json").read_text()) == FILE


@given(
    offset=st.integers(-2047, 2047), low=st.integers(0, 2000), width=st.integers(1, 2095), mode=st.sampled_from((0, 1))
)
def test_whatever_lerobot_measured_survives(
    tmp_path_factory: pytest.TempPathFactory, offset: int, low: int, width: int, mode: int
) -> None:
    folder = tmp_path_factory.mktemp("file")
    entry = {"drive_mode": mode, "homing_offset": offset, "range_min": low, "range_max": low + width}
    given_file = changed("elbow_flex", **entry)
    write_lerobot(folder / "out.json", arm(), imported(stored(folder, given_file), arm()))
    assert json.loads((folder / "out.json").read_text()) == given_file


def test_the_servo_keeps_its_offset_and_the_middle_of_the_range_is_the_models(tmp_path: Path) -> None:
    """LeRobot's middle pose was off: the range's middle reads 2030, and that is where the model's middle lies."""
    joints = imported(stored(tmp_path, FILE), arm()).joints
    assert joints["elbow_flex"].homing_offset == -709
    assert joints["elbow_flex"].radians(2030) == pytest.approx(0.0)
    assert joints["wrist_roll"].radians(2050) == pytest.approx(0.05)
    assert joints["wrist_roll"].radians(2051) < joints["wrist_roll"].radians(2050)


def test_a_joint_that_lerobot_never_sweeps_gets_the_models_range(tmp_path: Path) -> None:
    path = stored(tmp_path, changed("wrist_roll", range_min=0, range_max=4095))
    made = read_lerobot(path, arm(), RANGES)
    assert made.assumed == ("wrist_roll",)
    half = round(5.58 / 2 * 4096 / math.tau)
    assert made.homings["wrist_roll"] == Homing(1024, 2047 - half, 2047 + half)
    assert not read_lerobot(path, arm(name="light"), RANGES).assumed


def test_a_dynamixel_servo_is_never_told_to_turn_round(tmp_path: Path) -> None:
    calibration = imported(stored(tmp_path, FILE), arm())
    write_lerobot(tmp_path / "out.json", arm("dynamixel"), calibration)
    assert all(entry["drive_mode"] == 0 for entry in json.loads((tmp_path / "out.json").read_text()).values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no calibration of LeRobot's that can be read"),
        ("[]", "has the joints list; so101 has elbow_flex, wrist_roll"),
        ({"elbow_flex": FILE["elbow_flex"]}, "has the joints elbow_flex; so101 has elbow_flex, wrist_roll"),
        (FILE | {"elbow_flex": 3}, "elbow_flex holds 3; LeRobot's entries have id, drive_mode"),
        (FILE | {"elbow_flex": {"id": 1}}, "elbow_flex holds {'id': 1}"),
        (changed("elbow_flex", range_min=1.5), "elbow_flex.range_min is 1.5, expected a whole number"),
        (changed("elbow_flex", drive_mode=True), "elbow_flex.drive_mode is True, expected a whole number"),
        (changed("wrist_roll", id=7), "wrist_roll has id 7, here it is 2"),
        (changed("wrist_roll", drive_mode=2), "wrist_roll.drive_mode is 2; expected 0, or 1 on a Feetech servo"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    path = stored(tmp_path, content)
    with pytest.raises(HardwareError) as error:
        read_lerobot(path, arm(), RANGES)
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_missing_file_and_a_reversed_dynamixel_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=r"none\.json"):
        read_lerobot(tmp_path / "none.json", arm(), RANGES)
    with pytest.raises(HardwareError, match="drive_mode is 1"):
        read_lerobot(stored(tmp_path, FILE), arm("dynamixel"), RANGES)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    calibration = imported(stored(tmp_path, FILE), arm())
    with pytest.raises(UsageError, match=r"export=.*exists already"):
        write_lerobot(tmp_path / "lerobot.json", arm(), calibration)
    with pytest.raises(UsageError, match=r"export=.*cannot be written"):
        write_lerobot(tmp_path / "none" / "out.json", arm(), calibration)
