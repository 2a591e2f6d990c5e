"""`identify` fits a recording, and refuses what is none in one line."""

import dataclasses
import json

import numpy as np
import pytest

from porl_robot.kinematics import ArmKinematics
from sim.identify.excitation import Block
from sim.identify.model_file import ModelFile
from sim.identify.parameters import NAMES
from sim.identify.recording import Header, Recording
from sim.identify.simulation import Simulation
from sim.virtual_arm.launch import LaunchedArm

from ..arms import described

SAMPLES = 250
BLOCKS = (Block("gripper", 0, SAMPLES), Block(None, SAMPLES, 2 * SAMPLES))


@pytest.fixture(scope="module")
def so101():
    return described("so101")


@pytest.fixture(scope="module")
def recording(so101):
    """The model itself with twice the damping, its gripper shaken for some seconds."""
    lower, upper = ArmKinematics(so101.model).workspace
    time = 0.01 * np.arange(2 * SAMPLES)
    goals = np.tile((lower + upper) / 2, (len(time), 1))
    goals[:, -1] += 0.1 * np.sin(2 * np.pi * time) * (1 + (time > 1.5) * np.sin(7 * time))
    zeros = np.zeros_like(goals)
    header = Header("so101", so101.names, "c0ffee" * 10, "2025-01-01T00:00:00", 100.0, so101.gains, BLOCKS)
    still = Recording(header, time, goals, goals, zeros, zeros, zeros, zeros + 12.0)
    model = ModelFile(so101.model, so101.names)
    with Simulation(model.model, model.servos, still, threads=1) as simulation:
        parts = [simulation.positions(block, [model.parameters * [1, 1, 2, 1, 1]])[0] for block in BLOCKS]
    return dataclasses.replace(still, position=np.concatenate(parts))


@pytest.fixture
def log(recording, tmp_path):
    path = tmp_path / "given.npz"
    recording.save(path)
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_a_recording_is_fitted(cli, log, so101, tmp_path):
    out = tmp_path / "out"
    outcome = cli("identify", "robot=so101", f"log={log}", f"out={out}")
    assert outcome.code == 0, outcome.err
    assert f"robot.model={out / 'model.xml'} takes the identified model" in outcome.out
    summary = json.loads((out / "summary.json").read_text())
    assert [row["joint"] for row in summary["joints"]] == list(so101.names)
    gripper = {row["parameter"]: row for row in summary["parameters"] if row["joint"] == "gripper"}
    assert gripper["damping"]["after"] == pytest.approx(2 * gripper["damping"]["before"], rel=0.05)
    assert gripper["damping"]["told_by"] == "data"
    assert {row["told_by"] for row in summary["parameters"] if row["joint"] != "gripper"} == {"prior"}
    assert summary["joints"][-1]["after"] < 0.2 * summary["joints"][-1]["before"]
    assert (out / "tracking.png").read_bytes().startswith(b"\x89PNG")
    written = ModelFile(out / "model.xml", so101.names).parameters
    assert written[-1] == pytest.approx([gripper[name]["after"] for name in NAMES], rel=1e-5)


def refused(outcome, code, says, tmp_path):
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith("porl-robot identify: ")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "robot=... is missing; there are "),
        (["robot=so101"], "robot.port=... is missing: expected the port of the arm to excite"),
        (["robot=so100x"], "robot=so100x: no such robot; there are "),
        (["robots=so101"], "robots=so101: unknown key robots; did you mean robot"),
        (["robot=so101", "robot.prt=x"], "robot.prt=x: unknown key robot.prt; did you mean robot.port"),
        (["robot=so101", "seed=-1", "log=x"], "seed=-1: expected a whole number of at least 0"),
        (["robot=so101", "seed=one", "log=x"], "seed=one: expected a whole number"),
        (["robot=so101", "log="], "log=: expected text or null"),
        (
            ["robot=so101", "log=x", "robot.port=/dev/ttyACM0"],
            "robot.port=/dev/ttyACM0: log=x is fitted without an arm",
        ),
        (["robot=so101", "log=x", "robot.model=none.xml"], "robot.model 'none.xml': no such file"),
        (["robot=so101", "log=x", "robot.bus_hz=0"], "robot.bus_hz 0"),
        (["robot=so101", "log=x", "robot.gains.p=soft"], "robot.gains"),
        (["robot=so101", "log=x", "arm=perhaps"], "arm=perhaps: expected yes"),
        (["robot=so101", "log=x", "safety.speed=2"], "safety.speed=2"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_wrong_usage_is_refused(cli, tmp_path, arguments, says):
    refused(cli("identify", *arguments), 2, says, tmp_path)


def test_an_arm_without_a_model_is_refused(cli, tmp_path):
    refused(cli("identify", "robot=koch", "log=x"), 1, "robot=koch: has no MuJoCo model to identify", tmp_path)


def test_a_model_of_something_else_is_refused(cli, tmp_path, log):
    model = tmp_path / "box.xml"
    model.write_text("<mujoco><worldbody><body><joint/><geom size='.1'/></body></worldbody></mujoco>")
    says = f"robot.model {model}: has no hinge 'shoulder_pan', which robot.joints names"
    refused(cli("identify", "robot=so101", f"robot.model={model}", f"log={log}"), 1, says, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["robot=so101", "log=none.npz"], "log=none.npz: no such file"),
        (["robot=so101", "log=."], "log=.: is a folder"),
        (["robot=light", "log={log}"], "is of robot=so101; expected robot=light"),
        (["robot=so101", "log={log}", "robot.gains.p=32"], "was recorded under Gains(p=16"),
    ],
)
def test_recordings_of_something_else_are_refused(cli, tmp_path, log, arguments, says):
    refused(cli("identify", *(each.format(log=log) for each in arguments)), 1, says, tmp_path)


def test_a_damaged_recording_is_refused(cli, tmp_path, log):
    log.write_bytes(log.read_bytes()[:5000])
    refused(cli("identify", "robot=so101", f"log={log}"), 1, "no recording that can be read", tmp_path)


def test_a_recording_with_gaps_in_its_values_is_refused(cli, tmp_path, recording, log):
    recording.position[3, 2] = np.nan
    try:
        recording.save(log)
    finally:
        recording.position[3, 2] = 0.0
    refused(
        cli("identify", "robot=so101", f"log={log}"),
        1,
        "position is not finite in 1 samples, first in sample 3",
        tmp_path,
    )


def test_nothing_is_overwritten(cli, tmp_path, log):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text("{}")
    refused(cli("identify", "robot=so101", f"log={log}", f"out={tmp_path / 'out'}"), 2, "already holds a run", tmp_path)


@pytest.mark.slow
def test_an_arm_is_excited_recorded_and_fitted(cli, tmp_path):
    out = tmp_path / "out"
    with LaunchedArm(tmp_path / "port", protocol="dynamixel", time_scale=0.5) as arm:
        given = ["robot=light", f"robot.port={arm.link}", "robot.time_scale=0.5", f"out={out}"]
        outcome = cli("identify", *given)
    assert outcome.code == 0, outcome.err
    summary = json.loads((out / "summary.json").read_text())
    assert summary["log"] == str(out / "recording.npz")
    assert all(row["after"] < min(row["before"], 0.003) for row in summary["joints"])
    again = cli("identify", "robot=light", f"log={out / 'recording.npz'}", f"out={tmp_path / 'again'}")
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again" / "summary.json").read_text())["parameters"] == summary["parameters"]


def test_an_arm_that_is_not_there_is_refused(cli, tmp_path):
    refused(cli("identify", "robot=so101", "robot.port=/dev/nowhere"), 1, "/dev/nowhere", tmp_path)
