"""An arm's YAML becomes an arm, or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hardware.description import robot
from hardware.servos import SERVOS
from porl_robot.paths import data_dir


def given(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "two",
        "protocol": "feetech",
        "joints": {"a": {"id": 1, "servo": "STS3215", "lower": -1.0, "upper": 1.0}},
        "gains": {"p": 16, "i": 0, "d": 32},
        "supply": 12.0,
        "velocity": 3.0,
        "acceleration": 60.0,
        "jerk": 3000.0,
    }
    return base | changes


def test_a_generic_arm_is_servos_and_limits() -> None:
    arm = robot(**given())
    assert arm.names == ("a",) and arm.model is None and arm.dead_man.hold_after == 0.1


def test_a_joint_may_have_a_supply_of_its_own() -> None:
    servo = {"servo": "STS3215", "lower": -1.0, "upper": 1.0}
    arm = robot(**given(joints={"a": {"id": 1, **servo}, "b": {"id": 2, "supply": 7.4, **servo}}))
    assert arm.supplies == (12.0, 7.4)


@pytest.mark.parametrize("path", sorted((data_dir("configs") / "robot").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_arm_we_ship_can_be_made(path: Path, tmp_path: Path) -> None:
    values = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(values, dict)
    model = tmp_path / "model.xml"
    model.touch()
    wanted = {str(key): value for key, value in values.items() if key != "_target_"}
    if wanted.get("model") and not (data_dir("configs") / "robot" / "models" / wanted["model"]).exists():
        wanted["model"] = str(model)
    assert robot(**wanted).name == path.stem


@pytest.mark.parametrize("path", sorted((data_dir("configs") / "robot").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_arm_we_ship_has_servos_that_we_know(path: Path) -> None:
    arm = OmegaConf.load(path)
    assert {SERVOS[joint.servo].protocol for joint in arm.joints.values()} == {arm.protocol}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": "can"}, "robot.protocol 'can'"),
        ({"supply": 0.0}, "robot.supply 0.0"),
        ({"joints": {}}, "at least one joint"),
        ({"joints": {"a": {"id": 1, "servo": "STS3215"}}}, "robot.joints.a: give lower and upper"),
        ({"joints": {"a": {"id": 1, "servo": "X", "lower": 1.0, "upper": -1.0}}}, "lower 1.0 is not below"),
        ({"joints": {"a": {"id": 300, "servo": "X", "lower": -1.0, "upper": 1.0}}}, "id 300 is no whole"),
        ({"joints": {"a": {"id": 1, "servo": "X", "lower": -1.0, "upper": 1.0, "gear": 2}}}, "joints.a.gear: no such"),
        ({"joints": {n: {"id": 1, "servo": "X", "lower": -1.0, "upper": 1.0} for n in "ab"}}, "are not unique"),
        ({"joints": {"a": {"id": 1}}}, "robot.joints.a: "),
        (
            {"joints": {"a": {"id": 1, "servo": "X", "lower": -1.0, "upper": 1.0, "supply": 0}}},
            "joints.a.supply 0 must",
        ),
        ({"joints": {"a": {"id": 1, "servo": "X", "lower": "low", "upper": 1.0}}}, "joints.a.lower 'low' is no number"),
        (
            {"joints": {"a": {"id": 1, "servo": "X", "lower": -1.0, "upper": 1.0, "grips": "maybe"}}},
            "joints.a.grips 'maybe' is neither true nor false",
        ),
        ({"model": "nowhere.xml"}, "robot.model 'nowhere.xml': no such file"),
        ({"dead_man": {"hold_after": 1.0}}, "dead_man: hold_after 1.0"),
        ({"dead_man": {"end_state": "fall"}}, "end_state 'fall'"),
        ({"protocol": "dynamixel", "dead_man": {"stop_after": 3.0}}, "stop_after 3.0 is longer than the 2.54 s"),
        ({"dead_man": {"hold_after": "soon"}}, "dead_man.hold_after 'soon' is no number"),
        ({"bus_hz": 10.0}, "robot.bus_hz 10 is outside 20 to 1000: the arm is to hold 0.1 s after the last command"),
        ({"bus_hz": 5000.0}, "robot.bus_hz 5000 is outside"),
        ({"gains": {"p": 1}}, "robot.gains: "),
        ({"gains": {"p": -5, "i": 0, "d": 0}}, "robot.gains.p -5 is no whole number in 0-254"),
        ({"gains": {"p": 16, "i": 0.5, "d": 0}}, "robot.gains.i 0.5 is no whole number"),
        ({"protocol": "dynamixel", "gains": {"p": 1, "i": 0, "d": 20000}}, "robot.gains.d 20000 is no whole"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"robot|dead_man") as error:
        robot(**given(**changes))
    assert said in str(error.value)
