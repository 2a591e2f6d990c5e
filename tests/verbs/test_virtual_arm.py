"""`porl-robot virtual-arm`: what it says when it cannot start, and that it starts other arms than ours."""

from __future__ import annotations

import os
import pty

import pytest
import yaml

from hardware.calibration import load_calibration
from hardware.manifest import read_manifest
from sim.virtual_arm.launch import LaunchedArm

GENERIC = """
_target_: hardware.description.robot
name: pair
protocol: dynamixel
supply: 12.0
baud: 57600
gains: {p: 800, i: 0, d: 0}
velocity: 3.0
acceleration: 60.0
jerk: 3000.0
joints:
  base: {id: 11, servo: XM430, lower: -1.0, upper: 1.5}
  jaw: {id: 12, servo: XL430, lower: -0.5, upper: 0.5}
"""


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], 2, "link=... is missing"),
        (["link="], 2, "expected link=..., the symbolic link to make"),
        (["link=x", "speed=2"], 2, "speed=2: unknown key speed; there are link, protocol"),
        (["link=x", "protocol=can"], 2, "protocol=can: expected feetech or dynamixel"),
        (["link=x", "robot=nobody"], 2, "robot=nobody: no such arm and no such file; there are"),
        (["link=x", "robot=so101", "protocol=dynamixel"], 2, "robot=so101: speaks feetech, not protocol=dynamixel"),
        (["link=x", "time_scale=0"], 2, "time_scale=0: expected a number above 0"),
        (["link=x", "time_scale=nan"], 2, "time_scale=nan: expected a number above 0"),
        (["link=x", "time_scale=fast"], 2, "time_scale=fast: expected a number"),
        (["link=x", "backlash=-0.01"], 2, "backlash=-0.01: expected a number of at least 0"),
        (["link=x", "seed=1.5"], 2, "seed=1.5: expected a whole number"),
        (["link=x", "faults=fire"], 1, "faults: fire: no such fault"),
        (["link=nowhere/x"], 1, "nowhere is no folder"),
        (["link=nowhere/x", "robot=koch"], 1, "nowhere is no folder"),
        (["link=x", "robot=binary.yaml"], 2, "binary.yaml cannot be read"),
        (["link=x", "faults=binary.yaml"], 1, "binary.yaml"),
        (["link=x", "robot=listed.yaml"], 2, "robot.joints=[base,jaw]: expected keys with values"),
        (["link=x", "robot=strong.yaml"], 2, "robot.gains.p 100000 is no whole number in 0-16383"),
        (["link=x", "robot=modelled.yaml"], 1, "robot=pair: "),
        (["link=taken"], 1, "link=taken: is there already"),
        (["link=live"], 1, "link=live: is there already"),
        (["link=x", "eprom=taken"], 1, "eprom=taken: cannot be read"),
        (["link=x", "eprom=nowhere/memory"], 1, "eprom=nowhere/memory: cannot be written"),
        (["link=" + "x" * 120], 1, "too long"),
        (["link=x", "robot=broken.yaml"], 2, "broken.yaml cannot be read"),
        (["link=x", "robot=taken"], 2, "describes no arm"),
        (["link=x", "robot=scs.yaml"], 1, "servo=SCS0009: no virtual one; there are STS3215"),
        (["link=x", "robot=mixed.yaml"], 1, "servo=STS3215: does not speak dynamixel"),
        (["link=x", "robot=slow.yaml"], 1, "robot.baud=1234: XM430 knows 9600"),
        (["link=x", "robot=called.yaml"], 2, "robot: expected another _target_; Hydra refuses to call this one"),
        (["link=x", "robot=bad.yaml"], 2, "robot.supply -1.0 must be positive"),
    ],
)
def test_what_it_cannot_use_is_said_in_one_line(cli, tmp_path, monkeypatch, given, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a: 1\n")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(128, 256)))
    listed = yaml.safe_load(GENERIC)
    (tmp_path / "strong.yaml").write_text(yaml.dump(listed | {"gains": {"p": 100_000, "i": 0, "d": 0}}))
    (tmp_path / "modelled.yaml").write_text(yaml.dump(listed | {"model": str(tmp_path / "empty.xml")}))
    (tmp_path / "empty.xml").write_text("<mujoco/>")
    (tmp_path / "listed.yaml").write_text(yaml.dump(listed | {"joints": ["base", "jaw"]}))
    (tmp_path / "called.yaml").write_text("_target_: os.system\ncommand: 'true'\n")
    (tmp_path / "scs.yaml").write_text(
        GENERIC.replace("dynamixel", "feetech").replace("800", "16").replace("XM430", "SCS0009")
    )
    (tmp_path / "mixed.yaml").write_text(GENERIC.replace("XM430", "STS3215"))
    (tmp_path / "slow.yaml").write_text(GENERIC.replace("57600", "1234"))
    (tmp_path / "bad.yaml").write_text(GENERIC.replace("12.0", "-1.0"))
    master, slave = pty.openpty()
    (tmp_path / "live").symlink_to(os.ttyname(slave))
    outcome = cli("virtual-arm", *given)
    os.close(master)
    os.close(slave)
    assert outcome.code == code
    assert said in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "x").exists()
    assert (tmp_path / "live").is_symlink()


def test_it_explains_itself(cli):
    outcome = cli("virtual-arm", "--help")
    assert outcome.code == 0 and outcome.err == ""
    assert all(f"  {key} " in outcome.out for key in ("link", "protocol", "robot", "time_scale", "faults", "eprom"))


def test_an_arm_of_ones_own_gets_a_calibration_beside_its_link(tmp_path):
    (tmp_path / "pair.yaml").write_text(GENERIC)
    (tmp_path / "port").symlink_to("/dev/pts/none")
    with LaunchedArm(tmp_path / "port", robot=tmp_path / "pair.yaml") as arm:
        manifest = read_manifest(str(arm.link))
        joints = load_calibration(tmp_path / "port.calibration.json").joints
        assert manifest.calibration == str(tmp_path / "port.calibration.json")
        assert (joints["base"].id, joints["base"].limits) == (11, pytest.approx((-1.0, 1.5), abs=2e-3))


def test_the_files_of_a_running_arm_are_left_alone(cli, tmp_path):
    (tmp_path / "pair.yaml").write_text(GENERIC)
    (tmp_path / "other.yaml").write_text(GENERIC.replace("name: pair", "name: other"))
    with LaunchedArm(tmp_path / "port", robot=tmp_path / "pair.yaml"):
        files = {path: path.read_bytes() for path in tmp_path.glob("port.*") if path.is_file()}
        outcome = cli("virtual-arm", f"link={tmp_path / 'port'}", f"robot={tmp_path / 'other.yaml'}")
        assert outcome.code == 1 and "is there already" in outcome.err
        assert len(files) == 3 and files == {path: path.read_bytes() for path in files}
