"""The whole calibration, on virtual arms that a hand moves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hardware.arm.driver import open_arm
from hardware.bus import open_bus
from hardware.calibrate.procedure import Procedure
from hardware.calibration import Calibration, load_calibration
from hardware.clock import Clock
from hardware.errors import HardwareError
from hardware.lerobot import write_lerobot
from hardware.manifest import read_manifest
from porl_robot.paths import data_dir

from .conftest import Bench

Make = Callable[..., Bench]

HELD = ("homing_offset", "min_position", "max_position", "torque_enable")


def shipped(name: str) -> Calibration:
    return load_calibration(data_dir("calibration") / f"virtual-{name}.json")


def manifest_of(own: Bench) -> str:
    """Which calibration the virtual arm says it has."""
    manifest = read_manifest(str(own.arm.link))
    assert manifest is not None
    return manifest.calibration


@pytest.fixture
def lerobot(tmp_path: Path) -> Callable[[Bench], Path]:
    """LeRobot's file for the arm on a bench."""

    def write(own: Bench) -> Path:
        path = tmp_path / "lerobot.json"
        write_lerobot(path, own.robot, shipped(own.robot.name))
        return path

    return write


@pytest.mark.parametrize("name", ["so101", "light"])
def test_an_arm_reads_true_once_it_is_calibrated(bench: Make, name: str) -> None:
    own = bench(name)
    person = own.person()
    path = Procedure(own.robot).calibrate(person)
    made = load_calibration(path)
    assert path == own.stored and (made.robot, made.serial) == (name, f"virtual-{name}")
    held = own.held("present_position", *HELD)
    truth = dict(zip(own.robot.names, own.arm.state()["position"], strict=True))
    for joint, known in made.joints.items():
        position, *rest = held[joint]
        assert rest == [known.homing_offset, known.range_min, known.range_max, 0]
        assert known.radians(position % 4096) == pytest.approx(truth[joint], abs=math.radians(3))
        assert known.sign == shipped(name).joints[joint].sign
        assert abs(known.homing_offset - shipped(name).joints[joint].homing_offset) < 40
    assert len(person.questions) == 1
    assert sum(line.endswith("moves now") for line in person.heard) == 6
    assert all(row.enough for row in person.rows)
    open_arm(own.robot, path, Clock(own.robot.time_scale)).close()
    assert manifest_of(own) == str(path)
    own.arm.end()
    assert manifest_of(bench(name, eprom=own.arm.link.with_name("arm.eprom.json"))) == str(path)


@pytest.mark.slow
def test_an_arm_without_a_model_is_calibrated_by_its_ranges(bench: Make) -> None:
    own = bench("koch")
    person = own.person()
    made = load_calibration(Procedure(own.robot).calibrate(person))
    held = own.held("present_position", "operating_mode")
    truth = dict(zip(own.robot.names, own.arm.state()["position"], strict=True))
    for joint, known in made.joints.items():
        assert known.radians(held[joint][0] % 4096) == pytest.approx(truth[joint], abs=math.radians(3))
    roll = made.joints["wrist_roll"]
    assert (roll.range_min, roll.range_max) == (0, 4095)
    assert "wrist_roll turns without end: leave it in the middle of what the model has" in person.heard


def test_a_bad_line_does_not_stop_it(bench: Make, lerobot: Callable[[Bench], Path]) -> None:
    own = bench(faults="drop p=0.05; flip p=0.05; double p=0.05")
    made = load_calibration(Procedure(own.robot).calibrate(own.person(), lerobot(own)))
    own.arm.tell("clear")
    offsets = {name: (joint.homing_offset,) for name, joint in made.joints.items()}
    assert own.held("homing_offset") == offsets
    assert offsets == {name: (joint.homing_offset,) for name, joint in shipped("so101").joints.items()}


def test_a_file_of_lerobots_is_taken_over_and_given_back(
    bench: Make, lerobot: Callable[[Bench], Path], tmp_path: Path
) -> None:
    own = bench()
    source = lerobot(own)
    content = json.loads(source.read_text())
    content["wrist_roll"] |= {"range_min": 0, "range_max": 4095}  # as LeRobot writes it
    content["shoulder_lift"]["drive_mode"] = 0  # which is not how this joint turns
    source.write_text(json.dumps(content))
    person = own.person()
    made = load_calibration(Procedure(own.robot).calibrate(person, source))
    assert {name: joint.homing_offset for name, joint in made.joints.items()} == {
        name: joint.homing_offset for name, joint in shipped("so101").joints.items()
    }
    assert {name: joint.sign for name, joint in made.joints.items()} == {
        name: joint.sign for name, joint in shipped("so101").joints.items()
    }
    assert any(line.startswith("wrist_roll: LeRobot never sweeps it") for line in person.heard)
    Procedure(own.robot).export(tmp_path / "back.json")
    back = json.loads((tmp_path / "back.json").read_text())
    content["wrist_roll"] |= {"range_min": 227, "range_max": 3867}
    content["shoulder_lift"]["drive_mode"] = 1
    assert back == content


@pytest.mark.parametrize("agreeing", [True, False])
def test_a_servo_that_counts_backwards_counts_forwards_before_it_is_measured(
    bench: Make, lerobot: Callable[[Bench], Path], agreeing: bool
) -> None:
    """Another program may have left it so; its offset would be mirrored."""
    own = bench("light")
    elbow = next(joint.id for joint in own.robot.joints if joint.name == "elbow_flex")
    with closing(open_bus(own.robot, Clock(own.robot.time_scale))) as bus:
        bus.write(elbow, "drive_mode", 1)
    person = own.person(agreeing=agreeing)
    if agreeing:
        made = load_calibration(Procedure(own.robot).calibrate(person, lerobot(own)))
        assert made.joints["elbow_flex"].homing_offset == shipped("light").joints["elbow_flex"].homing_offset
        assert len(person.questions) == 2
    else:
        with pytest.raises(HardwareError, match="you did not agree: nothing was written"):
            Procedure(own.robot).calibrate(person, lerobot(own))
    said = "counts backwards; to be written before it is measured: elbow_flex: drive_mode 1 -> 0"
    assert said in person.heard
    assert own.held("drive_mode")["elbow_flex"] == (0 if agreeing else 1,)


def test_both_are_shown_where_eprom_and_file_differ(bench: Make, lerobot: Callable[[Bench], Path]) -> None:
    own = bench()
    person = own.person(agreeing=False)
    with pytest.raises(HardwareError, match="you did not agree: nothing was written"):
        Procedure(own.robot).calibrate(person, lerobot(own))
    registers = (
        "homing_offset 0 (310 by the file), min_position 0 (797 by the file), max_position 4095 (3299 by the file)"
    )
    assert f"EPROM and calibration file differ: shoulder_pan: {registers}" in person.heard
    assert (
        "to be written: shoulder_pan: homing_offset 0 -> 310, min_position 0 -> 797, max_position 4095 -> 3299"
        in person.heard
    )
    assert not own.stored.exists()
    assert set(own.held(*HELD, "lock").values()) == {(0, 0, 4095, 0, 1)}


def test_servos_that_hold_it_already_are_not_written(bench: Make, lerobot: Callable[[Bench], Path]) -> None:
    own = bench()
    source = lerobot(own)
    Procedure(own.robot).calibrate(own.person(), source)
    person = own.person()
    Procedure(own.robot).calibrate(person, source)
    assert person.questions == ["the servos hold this already: move each joint a few degrees with little torque?"]
    assert not any("to be written" in line or "differ" in line for line in person.heard)
