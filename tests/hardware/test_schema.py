"""The schema says what a calibration file holds."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from hardware.calibration import Calibration, JointCalibration
from porl_robot.paths import data_dir

FOLDER = data_dir("calibration")
SCHEMA = json.loads((FOLDER / "schema.json").read_text())
JOINT = SCHEMA["properties"]["joints"]["additionalProperties"]


@pytest.mark.parametrize("name", ["virtual-so101", "virtual-light"])
def test_a_calibration_we_ship_is_as_the_schema_says(name: str) -> None:
    content = json.loads((FOLDER / f"{name}.json").read_text())
    assert set(content) == set(SCHEMA["required"]) == set(SCHEMA["properties"])
    assert content["version"] == SCHEMA["properties"]["version"]["const"]
    assert re.fullmatch(SCHEMA["properties"]["hash"]["pattern"], content["hash"])
    for joint in content["joints"].values():
        assert set(joint) == set(JOINT["required"])


def test_the_schema_knows_every_field_and_its_limits() -> None:
    assert set(JOINT["required"]) == set(JOINT["properties"]) == {each.name for each in fields(JointCalibration)}
    assert {each.name for each in fields(Calibration)} < set(SCHEMA["required"])
    limits = {name: (each.get("minimum"), each.get("maximum")) for name, each in JOINT["properties"].items()}
    JointCalibration(1, "STS3215", "3.10", limits["homing_offset"][0], 0, limits["range_max"][1], 1, 0.0)
    with pytest.raises(ValueError, match="homing_offset"):
        JointCalibration(1, "STS3215", "3.10", limits["homing_offset"][1] + 1, 0, 4095, 1, 0.0)
    with pytest.raises(ValueError, match="range"):
        JointCalibration(1, "STS3215", "3.10", 0, 0, limits["range_max"][1] + 1, 1, 0.0)
