"""The arm on a bus from the command line, as far as no arm is needed."""

from __future__ import annotations

import json

import pytest

TWIN = "env=serial_twin"
WRONG = [
    (["collect", "env=serial_reach"], "robot.port=... is missing: env=serial_reach moves a real arm"),
    (["evaluate", "env=serial_reach", "robot=so101", "policy={policy}"], "or env=serial_twin, which needs none"),
    (["collect", "env=arm_reach", "robot=so101"], "robot=so101: env=arm_reach has no arm on a bus"),
    (["collect", TWIN, "robot=so102"], "robot=so102: no such robot; there are"),
    (["collect", TWIN, "robot.velocity=fast"], "robot.velocity=fast: expected a number"),
    (["collect", TWIN, "robot.velocity=-1"], "robot.velocity -1 must be positive"),
    (["collect", TWIN, "robot.joints=3"], "robot.joints=3: expected keys with values"),
    (["collect", TWIN, "robot.joints.gripper.id=x"], "robot.joints.gripper.id x is no whole number"),
    (["collect", TWIN, "robot.prt=x"], "unknown key robot.prt; did you mean robot.port"),
    (["collect", TWIN, "robot.bus_hz=30"], "robot.bus_hz=30: does not divide"),
    (["collect", TWIN, "robot.model=none.xml"], "robot.model 'none.xml': no such file"),
    (["collect", "-m", "env=serial_reach", "seed=0,1"], "robot.port=... is missing"),
]


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory):
    from porl_robot.cli import run

    out = tmp_path_factory.mktemp("serial") / "log"
    assert run(["collect", TWIN, "robot=so101", "skill=degraded", "episodes=4", f"out={out}"]) == 0
    return out


@pytest.fixture(scope="module")
def cloned(demonstrations):
    from porl_robot.cli import run

    out = demonstrations.parent / "cloned"
    assert run(["pretrain", TWIN, f"log={demonstrations}", "steps=30", "eval_episodes=2", f"out={out}"]) == 0
    return out


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_is_wrong_is_said_in_one_line(cli, cloned, tmp_path, arguments, said):
    given = [each.format(policy=cloned) for each in arguments]
    outcome = cli(*given, f"out={tmp_path / 'run'}")
    assert outcome.code == 2
    assert said in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_logs_and_policies_of_the_twin_are_those_of_the_arm(demonstrations, cloned):
    summary = json.loads((demonstrations / "summary.json").read_text())
    assert (summary["env"], summary["episodes"], summary["interventions"]) == ("serial_reach", 4, {})
    assert json.loads((cloned / "policy.json").read_text())["env"] == "serial_reach"


def test_pretraining_for_the_arm_is_measured_on_its_twin_without_a_port(cli, demonstrations, tmp_path):
    out = tmp_path / "policy"
    outcome = cli("pretrain", "env=serial_reach", f"log={demonstrations}", "steps=30", "eval_episodes=2", f"out={out}")
    assert outcome.code == 0, outcome.err
    assert "no arm is moved: success is that on the MuJoCo twin of so101" in outcome.out
    assert json.loads((out / "summary.json").read_text())["success"] is not None


@pytest.mark.slow
def test_a_cloned_policy_becomes_reliable_on_the_twin(cli, tmp_path):
    log, policy, tuned = (tmp_path / name for name in ("log", "policy", "tuned"))
    assert cli("collect", TWIN, "skill=degraded", "episodes=80", f"out={log}").code == 0
    assert cli("pretrain", TWIN, f"log={log}", f"out={policy}").code == 0
    assert cli("finetune", TWIN, f"policy={policy}", "method=porl", "steps=6000", f"out={tuned}").code == 0
    summary = json.loads((tuned / "summary.json").read_text())
    assert summary["bc_success"] < 0.8
    assert summary["final_success"] >= 0.9
