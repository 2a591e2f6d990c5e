"""Whole verbs with an operator at a pseudo-terminal: nothing is lost, and every further run is armed anew."""

import json
import sys

import pytest

from porl_robot.cli import run as run_here
from porl_robot.control.checkpoints import newest_checkpoint
from porl_robot.replay.log import read_log
from porl_robot.replay.verify import verify_log

ARM = ["env=arm_reach", "env.adapter._target_=attended_arm.AttendedArm"]
FROZEN = ["method.warm_up.steps=100", "method.warm_up.fit.updates=40", "method.warm_up.evidence=null"]
SHORT = ["steps=400", "eval_every=400", "eval_episodes=1", "final_episodes=1"]

pytestmark = pytest.mark.slow


@pytest.fixture
def verb(at_the_arm):
    """Starts a verb in front of a person, who arms."""

    def start(*arguments):
        person = at_the_arm(command=[sys.executable, "-m", "porl_robot", *map(str, arguments)])
        person.wait_shown("to arm: ")
        person.type("training_arm\n")
        return person

    return start


def test_collect_repeats_discarded_episodes_and_finishes_early(verb, tmp_path):
    out = tmp_path / "log"
    person = verb("collect", *ARM, "episodes=30", f"out={out}")
    person.wait_event("begin", 1)
    person.type("r")
    person.wait_event("begin", 3)
    person.type("q")
    assert person.leave() == 0
    log, summary = read_log(out), json.loads((out / "summary.json").read_text())
    assert verify_log(out) == []
    assert log.episodes == 3 and log.discarded.tolist() == [True, False, False]
    assert (log.observation[log.episode(0)][0] == log.observation[log.episode(1)][0]).all()
    assert summary["episodes"] == 2 and summary["steps"] == log.kept().rows
    assert person.settings_now() == person.settings


def test_a_stopped_run_keeps_its_log_and_is_armed_anew_to_go_on(verb, tmp_path):
    demonstrations, policy, out = tmp_path / "log", tmp_path / "policy", tmp_path / "run"
    assert run_here(["collect", "env=arm_reach", "episodes=6", f"out={demonstrations}"]) == 0
    made = ["pretrain", "env=arm_reach", f"log={demonstrations}", "steps=50", "eval_episodes=1", f"out={policy}"]
    assert run_here(made) == 0
    person = verb("finetune", *ARM, f"policy={policy}", *FROZEN, *SHORT, f"out={out}")
    person.wait_shown("actor unfrozen")
    person.wait_event("send", len(person.times("send")) + 10)
    person.type(" ")
    assert person.leave() == 1
    person.wait_shown(f"to go on: porl-robot finetune resume={out}")
    assert person.settings_now() == person.settings
    assert verify_log(out) == []
    steps = read_log(out).rows
    assert newest_checkpoint(out).run.env_steps == steps < 400
    assert json.loads((out / "summary.json").read_text())["stopped_because"] == "stopped by the operator"
    again = verb("finetune", f"resume={out}")
    assert again.leave() == 0
    assert read_log(out).rows == 400 and verify_log(out) == []
