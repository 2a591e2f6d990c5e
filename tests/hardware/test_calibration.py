"""Ticks and radians, and a file that notices when somebody changed it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.calibration import Calibration, JointCalibration, load_calibration
from hardware.errors import HardwareError

JOINT = JointCalibration(1, "STS3215", "3.10", -709, 1000, 3000, 1, 0.2)
ARM = Calibration("so101", "ABC", "2026-11-22", {"pan": JOINT, "lift": replace(JOINT, id=2, sign=-1)})


@given(st.integers(1000, 3000), st.sampled_from((-1, 1)))
def test_ticks_survive_the_way_to_radians_and_back(ticks: int, sign: int) -> None:
    joint = replace(JOINT, sign=sign)
    assert joint.ticks(joint.radians(ticks)) == ticks


def test_the_centre_is_the_middle_of_the_model() -> None:
    assert JOINT.radians(2048) == 0.2
    assert JOINT.radians(2048 + 1024) == pytest.approx(0.2 + math.pi / 2)


def test_limits_are_in_order_whatever_the_sign() -> None:
    for joint in ARM.joints.values():
        lower, upper = joint.limits
        assert lower < upper
        assert {joint.ticks(lower - 1.0), joint.ticks(upper + 1.0)} == {1000, 3000}


@pytest.mark.parametrize(
    "change", [{"homing_offset": 2048}, {"range_min": 3000}, {"range_max": 4096}, {"sign": 0}, {"middle": math.nan}]
)
def test_an_impossible_joint_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        replace(JOINT, **change)


def test_a_file_comes_back_as_it_went(tmp_path: Path) -> None:
    ARM.save(tmp_path / "ABC.json")
    assert load_calibration(tmp_path / "ABC.json") == ARM


def test_an_edited_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ABC.json"
    ARM.save(path)
    content = json.loads(path.read_text())
    content["joints"]["pan"]["range_max"] = 3500
    path.write_text(json.dumps(content))
    with pytest.raises(HardwareError, match="edited or damaged"):
        load_calibration(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "joints": {"a": {}}}'])
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(HardwareError, match="calibrat"):
        load_calibration(path)


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="porl-robot calibrate"):
        load_calibration(tmp_path / "none.json")
