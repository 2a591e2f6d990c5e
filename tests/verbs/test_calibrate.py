"""`porl-robot calibrate`, on a virtual arm, and on one that does not say that it is virtual."""

import json
import signal
import subprocess
import sys

import pytest

from hardware.bus import open_bus
from hardware.calibration import load_calibration
from hardware.clock import Clock
from hardware.description import robot
from porl_robot.paths import data_dir
from sim.virtual_arm.launch import LaunchedArm

from .attend.conftest import Person

SHIPPED = load_calibration(data_dir("calibration") / "virtual-so101.json")
NAMES = list(SHIPPED.joints)
SIGNS = f"signs=[{','.join(str(joint.sign) for joint in SHIPPED.joints.values())}]"

# Calibrations of real arms go into the program's own folder, which a test leaves alone.
ELSEWHERE = (
    "import sys; from pathlib import Path; from hardware import identity; folder = Path(sys.argv.pop(1)); "
    "identity.data_dir = lambda name: folder; from porl_robot.__main__ import main; main()"
)


@pytest.fixture
def arm(tmp_path):
    with LaunchedArm(tmp_path / "arm", eprom="factory", time_scale=5) as arm:
        yield arm


@pytest.fixture
def lerobot(tmp_path):
    """LeRobot's file for the virtual so101."""
    path = tmp_path / "lerobot.json"
    entries = {
        name: {"id": each.id, "drive_mode": 0, "homing_offset": each.homing_offset,
               "range_min": each.range_min, "range_max": each.range_max}
        for name, each in SHIPPED.joints.items()
    }  # fmt: skip
    path.write_text(json.dumps(entries))
    return path


def held(port, time_scale, *registers):
    """What the servos hold in these registers, all of them together."""
    joints = {name: {"id": joint.id, "servo": joint.servo} for name, joint in SHIPPED.joints.items()}
    gains = {"p": 16, "i": 0, "d": 32}
    arm = robot("so101", "feetech", joints, gains, 12.0, 3, 60, 3000, model="so101.xml", port=str(port))
    bus = open_bus(arm, Clock(time_scale))
    try:
        return {tuple(bus.read(each.id, name) for name in registers) for each in SHIPPED.joints.values()}
    finally:
        bus.close()


def virtual(arm):
    return ["calibrate", "robot=so101", f"robot.port={arm.link}", "robot.time_scale=5"]


def test_a_file_is_taken_over_and_handed_on(cli, arm, lerobot, tmp_path):
    outcome = cli(*virtual(arm), f"source={lerobot}", "write=yes")
    assert (outcome.code, outcome.err) == (0, "")
    stored = arm.link.with_name("arm.calibrated.json")
    assert outcome.out.splitlines()[-1] == f"calibrated; the torque is off: {stored}"
    assert "to be written: shoulder_pan: homing_offset 0 -> 310" in outcome.out
    assert "move each joint a few degrees with little torque? yes, by write=yes" in outcome.out
    assert load_calibration(stored).joints["wrist_roll"].sign == -1
    out = tmp_path / "out.json"
    outcome = cli(*virtual(arm), f"export={out}")
    assert (outcome.code, outcome.out) == (0, f"{stored}: written for LeRobot to {out}\n")
    assert json.loads(out.read_text())["wrist_roll"]["drive_mode"] == 1
    again = cli(*virtual(arm), f"export={out}")
    assert again.code == 2 and "exists already" in again.err


def test_nothing_is_written_that_nobody_agreed_to(cli, arm, lerobot):
    outcome = cli(*virtual(arm), f"source={lerobot}")
    assert outcome.code == 2
    assert "EPROM and calibration file differ: shoulder_pan: homing_offset 0 (310 by the file)" in outcome.out
    assert "write=... is missing: nothing was written; give write=yes" in outcome.err
    assert held(arm.link, 5, "homing_offset", "torque_enable", "lock") == {(0, 0, 1)}


def test_an_arm_that_nobody_moves_is_refused(cli, arm):
    outcome = cli(*virtual(arm), "seconds=2", "write=yes")
    assert outcome.code == 1 and outcome.err.count("\n") == 1
    assert "shoulder_pan: travelled 0 deg, the model of so101 has 220" in outcome.err
    assert "shoulder_pan 0 of 220 deg" in outcome.out
    assert held(arm.link, 5, "homing_offset", "torque_enable", "lock") == {(0, 0, 1)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_a_sweep(arm, number):
    command = [sys.executable, "-m", "porl_robot", *virtual(arm), "seconds=1000"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True)
    while "shoulder_pan 0 of" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (1, "porl-robot calibrate: interrupted\n")
    assert held(arm.link, 5, "homing_offset", "torque_enable", "lock") == {(0, 0, 1)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "robot=... is missing; there are koch, light, openmanipulator_x, so100, so101"),
        (["robot=nope"], "robot=nope: no such robot; there are"),
        (["robot=so101"], "robot.port=... is missing"),
        (["robot=so101", "robot.port=/dev/null"], "seconds=... is missing: standard input is no terminal"),
        (["robot=so101", "robot.port=/dev/null", "seconds=-1"], "seconds=-1: expected a number above 0"),
        (["robot=so101", "robot.port=/dev/null", "seconds=5"], "signs=... is missing: standard input is no terminal"),
        (["robot=so101", "robot.port=/dev/null", "signs=[1]"], "signs=[1]: expected 1 or -1 for each of shoulder_pan"),
        (["robot=so101", "robot.port=/dev/null", "write=no"], "write=no: expected yes, or to be asked"),
        (["robot=so101", "robot.port=/dev/null", "second=5"], "did you mean seconds?"),
        (["-m", "robot=so101,koch"], "-m: calibrate is done to one arm at a time"),
    ],
)
def test_wrong_usage_is_told_in_one_line(cli, given, said):
    outcome = cli("calibrate", *given)
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["robot.port=/dev/nothing", "seconds=5"], "/dev/nothing: no such port"),
        (["robot.port=/dev/null", "seconds=5"], "/dev/null: not a serial port"),
        (["robot.port=/dev/nothing", "export=x.json"], "/dev/nothing: no such port"),
        (["robot.port=/dev/null", "export=x.json"], "no such calibration; porl-robot calibrate writes one"),
    ],
)
def test_a_port_without_an_arm_is_told_in_one_line(cli, given, said):
    outcome = cli("calibrate", "robot=so101", SIGNS, *given)
    assert outcome.code == 1 and said in outcome.err and outcome.err.count("\n") == 1


@pytest.fixture
def at_a_real_arm(tmp_path):
    """A person at a terminal, and an arm at their port that does not say that it is virtual."""
    folder = tmp_path / "calibration"
    folder.mkdir()
    with LaunchedArm(tmp_path / "arm", eprom="factory") as arm:
        port = arm.link.resolve()  # beside which no manifest lies
        people = []

        def sit_down(*more):
            words = ["calibrate", "robot=so101", f"robot.port={port}", *map(str, more)]
            people.append(Person(tmp_path / "events", [sys.executable, "-c", ELSEWHERE, str(folder), *words]))
            return people[-1]

        yield arm, folder, sit_down
        for person in people:
            person.close()


def test_enter_ends_the_sweep(at_a_real_arm):
    arm, folder, sit_down = at_a_real_arm
    person = sit_down()
    person.wait_shown("Enter ends the sweep")
    person.wait_shown("go on")
    person.type("\n")
    assert person.leave() == 1
    assert "shoulder_pan: travelled 0 deg" in person.shown
    assert held(arm.link.resolve(), 1, "homing_offset", "torque_enable", "lock") == {(0, 0, 1)}
    assert not list(folder.iterdir())


def test_a_folder_that_is_not_there_is_told_before_anything_else(at_a_real_arm):
    _, folder, sit_down = at_a_real_arm
    folder.rmdir()
    person = sit_down()
    assert person.leave() == 1 and "is no folder that may be written to" in person.shown


@pytest.mark.slow
def test_a_person_says_how_the_joints_turn(at_a_real_arm, lerobot):
    arm, folder, sit_down = at_a_real_arm
    person = sit_down(f"source={lerobot}")
    person.wait_shown("[y/N]")
    before = arm.state()["position"]
    person.type("y\n")
    for place, name in enumerate(NAMES):
        question = f"{name}: did it turn "
        person.wait_shown(question)
        if name == "gripper":
            person.type("what?\n")
            person.wait_until(lambda question=question: person.shown.count(question) == 2)
        # The angle grew, or it did not: what a person compares with the words.
        person.type("y\n" if arm.state()["position"][place] > before[place] else "n\n")
    assert person.leave() == 0, person.shown
    made = load_calibration(folder / f"{arm.link.resolve().name}.json")
    assert [joint.sign for joint in made.joints.values()] == [joint.sign for joint in SHIPPED.joints.values()]
    assert "shoulder_pan: did it turn clockwise, seen from above? [y/n]" in person.shown
    assert held(arm.link.resolve(), 1, "torque_enable", "lock", "torque_limit") == {(0, 1, 1000)}
