"""Whatever stops a calibration: the reason in one line, no torque, the EPROM locked, and nothing stored."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.calibrate.procedure import Procedure
from hardware.calibration import load_calibration
from hardware.errors import Disconnected, HardwareError
from hardware.lerobot import write_lerobot
from hardware.transport import Transport
from porl_robot.errors import UsageError
from porl_robot.paths import data_dir

from ...arms import described
from .conftest import Bench

Make = Callable[..., Bench]
UNTOUCHED = (0, 0, 4095)


@pytest.fixture
def lerobot(tmp_path: Path) -> Path:
    """LeRobot's file for the virtual so101."""
    path = tmp_path / "lerobot.json"
    shipped = load_calibration(data_dir("calibration") / "virtual-so101.json")
    write_lerobot(path, described("so101"), shipped)
    return path


def left_alone(own: Bench) -> bool:
    """No torque, everything locked, nothing stored, and the EPROM as it was."""
    held = own.held("homing_offset", "min_position", "max_position", "torque_enable", "lock")
    return set(held.values()) == {(*UNTOUCHED, 0, 1)} and not own.stored.exists()


def test_a_joint_that_was_not_taken_to_its_stops(bench: Make) -> None:
    own = bench()
    with pytest.raises(HardwareError, match=r"gripper: travelled \d+ deg, the model of so101 has 110 .*stop to stop"):
        Procedure(own.robot).calibrate(own.person(lazy="gripper"))
    assert left_alone(own)


def test_ctrl_c_during_the_sweep(bench: Make) -> None:
    own = bench()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Procedure(own.robot).calibrate(own.person(meanwhile=lambda: signal.raise_signal(signal.SIGINT)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert left_alone(own)


def test_a_servo_that_falls_silent_during_the_sweep(bench: Make) -> None:
    own = bench()
    person = own.person(meanwhile=lambda: own.arm.tell("dead ids=4"))
    with pytest.raises(
        HardwareError, match=r"wrist_flex \(id 4\): fell silent during the sweep.*of wrist_flex may still"
    ):
        Procedure(own.robot).calibrate(person)
    own.arm.tell("clear")
    assert left_alone(own)


def test_a_port_that_is_unplugged_during_the_sweep(bench: Make) -> None:
    own = bench()
    with pytest.raises(
        HardwareError, match=r"disconnected.*the torque of shoulder_pan.*switch the supply off"
    ) as error:
        Procedure(own.robot).calibrate(own.person(meanwhile=lambda: own.arm.tell("unplug for=0.5")))
    assert isinstance(error.value.__cause__, Disconnected)


def test_a_servo_that_dies_while_its_eprom_is_written(bench: Make, lerobot: Path) -> None:
    own = bench()
    person = own.person(asked=lambda: own.arm.tell("dead ids=3"))
    with pytest.raises(HardwareError) as error:
        Procedure(own.robot).calibrate(person, lerobot)
    said = "elbow_flex half (at homing_offset), shoulder_lift new, shoulder_pan new, gripper old"
    assert f"the EPROM is half written ({said}" in str(error.value)
    assert "calibrate again before the arm moves" in str(error.value)
    own.arm.tell("clear")
    held = own.held("homing_offset", "torque_enable", "lock")
    assert held["shoulder_pan"] == (310, 0, 1) and held["elbow_flex"] == held["gripper"] == (0, 0, 1)
    assert not own.stored.exists()


def test_a_joint_that_is_held_fast(bench: Make, lerobot: Path) -> None:
    own = bench()
    person = own.person(asked=lambda: own.arm.tell("stuck ids=2"))
    with pytest.raises(HardwareError, match=r"shoulder_lift \(id 2\): moved 0 ticks for a goal 170 ticks away"):
        Procedure(own.robot).calibrate(person, lerobot)
    assert set(own.held("torque_enable", "lock", "torque_limit").values()) == {(0, 1, 1000)}
    assert not own.stored.exists()


@pytest.mark.parametrize(("fault", "missing"), [("dead ids=5", "wrist_roll"), ("duplicate ids=1,2", "shoulder_lift")])
def test_a_servo_that_is_missing_or_there_twice(bench: Make, lerobot: Path, fault: str, missing: str) -> None:
    own = bench()
    own.arm.tell(fault)
    said = rf"{missing} \(id \d\) does not answer.*check the cable there, and that no two servos have one id"
    with pytest.raises(HardwareError, match=said):
        Procedure(own.robot).calibrate(own.person(), lerobot)
    own.arm.tell("clear")
    assert left_alone(own)


def test_the_wrong_supply(bench: Make, lerobot: Path) -> None:
    own = bench()
    own.arm.tell("brownout volts=7.4 for=1000")
    with pytest.raises(HardwareError, match=r"shoulder_pan \(id 1\): gets 7.4 V, robot=so101 is made for 12"):
        Procedure(own.robot).calibrate(own.person(), lerobot)
    own.arm.tell("clear")
    assert left_alone(own)


def test_another_kind_of_arm(bench: Make, lerobot: Path) -> None:
    own = bench()
    with pytest.raises(UsageError, match=r"robot=light: at .* is a virtual so101; give robot=so101"):
        Procedure(described("light", port=str(own.arm.link), time_scale=own.robot.time_scale))
    joints = {joint.name: {"id": joint.id, "servo": "STS3250"} for joint in own.robot.joints}
    other = described("so101", port=own.robot.port, time_scale=own.robot.time_scale, joints=joints)
    with pytest.raises(HardwareError, match=r"reports model 777, robot=so101 has a STS3250 \(2825\) there"):
        Procedure(other).calibrate(own.person(), lerobot)
    assert left_alone(own)


def test_a_port_that_somebody_else_has(bench: Make, lerobot: Path) -> None:
    own = bench()
    with Transport(str(own.arm.link), 1_000_000), pytest.raises(HardwareError, match="in use by process"):
        Procedure(own.robot).calibrate(own.person(), lerobot)


def test_a_file_of_another_arm(bench: Make, lerobot: Path) -> None:
    own = bench()
    content = json.loads(lerobot.read_text())
    content["elbow_flex"]["homing_offset"] -= 2000
    lerobot.write_text(json.dumps(content))
    with pytest.raises(HardwareError, match=r"elbow_flex: would stand at \d+ ticks, outside its range of 947 to 3149"):
        Procedure(own.robot).calibrate(own.person(), lerobot)
    content["elbow_flex"] |= {"homing_offset": 1422, "range_max": 1500}
    lerobot.write_text(json.dumps(content))
    with pytest.raises(HardwareError, match="elbow_flex: travelled 49 deg, the model of so101 has 194"):
        Procedure(own.robot).calibrate(own.person(), lerobot)
    content["elbow_flex"] |= {"homing_offset": 2100, "range_max": 3149}
    lerobot.write_text(json.dumps(content))
    with pytest.raises(HardwareError, match=r"elbow_flex: homing_offset 2100 is outside.*calibrate by hand instead"):
        Procedure(own.robot).calibrate(own.person(), lerobot)
    assert left_alone(own)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": None}, r"robot.port=\.\.\. is missing"),
        ({"time_scale": 2.0}, r"robot.time_scale=2: the arm at .* is no virtual arm.*give robot.time_scale=1"),
    ],
)
def test_what_no_port_is_opened_for(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Procedure(described("so101", **{"port": "/dev/null", **changes}))


@pytest.mark.parametrize("signs", [[1], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 2]])
def test_signs_that_are_none(signs: list[int]) -> None:
    with pytest.raises(UsageError, match=r"signs=\[.*expected 1 or -1 for each of shoulder_pan"):
        Procedure(described("so101", port="/dev/null"), signs)


def test_a_time_scale_that_the_virtual_arm_does_not_have(bench: Make) -> None:
    own = bench()
    with pytest.raises(UsageError, match=r"time_scale=1: the arm at .* runs at another pace; give robot.time_scale=5"):
        Procedure(described("so101", port=str(own.arm.link)))
