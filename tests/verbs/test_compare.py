"""Comparisons, as small as they get. One has processes of its own; elsewhere its commands run in this one."""

import contextlib
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import porl_robot
from porl_robot.analysis.summary import SCHEMA
from porl_robot.cli import run
from porl_robot.verbs import cell_runner

from .conftest import TINY

INPUTS = ["envs=[arm_reach]", "demonstrations=6", "cloning_steps=50"]
SETTINGS = [*INPUTS, *TINY, "jobs=1"]


def started(*arguments):
    """A comparison as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "porl_robot", "compare", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(porl_robot.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(pattern, folder, process):
    until = time.monotonic() + 120.0
    while not [found for found in folder.glob(pattern) if found.suffix != ".new"]:
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.02)


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


class Here:
    """Stands for a process: runs the command in this one, at once."""

    started: list = []  # noqa: RUF012 - one per test

    def __init__(self, command, *, stdout, **_):
        verb = command.index("porl_robot") + 1
        Here.started.append(command[verb:])
        text = io.TextIOWrapper(stdout, write_through=True)
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            self.returncode = run(command[verb:])
        text.detach()

    def poll(self):
        return self.returncode


@contextlib.contextmanager
def in_this_process():
    """The commands that are run meanwhile."""
    Here.started = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_runner, "subprocess", SimpleNamespace(Popen=Here, DEVNULL=subprocess.DEVNULL))
        yield Here.started


@pytest.fixture
def here():
    with in_this_process() as started:
        yield started


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a finished comparison of one run."""
    out = tmp_path_factory.mktemp("compare") / "out"
    with in_this_process():
        assert run(["compare", *SETTINGS, "methods=[porl]", "seeds=[0]", f"out={out}"]) == 0
    return out


@pytest.fixture
def copied(base, tmp_path):
    shutil.copytree(base, tmp_path / "out")
    return tmp_path / "out"


def times(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_interrupted_comparison_is_gone_on_with(cli, tmp_path, here):
    out = tmp_path / "out"
    sizes = ["steps=500", "eval_every=100", "eval_episodes=1", "final_episodes=1", "learner.members=2"]
    arguments = ["methods=[sac_scratch]", "envs=[arm_reach]", "seeds=[0]", *sizes, f"out={out}"]
    process = started(*arguments)
    wait_for("runs/arm_reach/sac_scratch/0/checkpoints/*", out, process)
    process.send_signal(signal.SIGTERM)
    printed, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, "porl-robot compare: interrupted\n")
    assert "1 of 1 runs to go, about 0.00 h (from stored costs of the small preset)" in printed
    before = summary(out / "runs/arm_reach/sac_scratch/0")
    assert before["stopped_because"] == "stopped by the operator"
    assert summary(out)["left_out"] == ["arm_reach sac_scratch seed 0"] and summary(out)["rows"][0]["seeds"] == 0

    outcome = cli("compare", *arguments)
    assert outcome.code == 0, outcome.err
    assert here == [["finetune", f'resume="{out / "runs/arm_reach/sac_scratch/0"}"']]
    assert "runs/arm_reach/sac_scratch/0: done in " in outcome.out and "\x1b" not in outcome.out
    after = summary(out / "runs/arm_reach/sac_scratch/0")
    assert after["env_steps"] == 500 and after["curve"][: len(before["curve"])] == before["curve"]
    assert summary(out)["left_out"] == [] and summary(out)["rows"][0]["given"] == "nothing"


def test_what_a_comparison_leaves_behind(base):
    out, said = base, summary(base)
    assert list(said) == [key.name for key in SCHEMA["compare"]]
    (row,) = said["rows"]
    own = summary(out / "runs/arm_reach/porl/0")
    assert (row["env"], row["method"], row["given"]) == ("arm_reach", "porl", "policy (bc)")
    assert (row["seeds"], row["start"], row["final"]) == (1, own["bc_success"], own["final_success"])
    assert (said["failed"], said["left_out"]) == ([], [])
    assert (out / "table.md").read_text().startswith("| task | method | given |")
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert "<td>porl</td>" in (out / "compare.html").read_text()
    assert sorted(path.name.split("-")[0] for path in (out / "cache").iterdir()) == ["bc", "demonstrations"]


def test_a_finished_comparison_only_prints_its_table(cli, copied, here):
    before = times(copied / "runs")
    outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0]", f"out={copied}")
    assert outcome.code == 0 and here == [] and times(copied / "runs") == before
    assert outcome.out.startswith("0 of 1 runs to go, about 0.00 h (from 1 finished runs)\ntask       method")


def test_another_method_takes_the_inputs_that_are_there(cli, copied, here):
    before = times(copied / "cache")
    outcome = cli("compare", *SETTINGS, "methods=[porl,porl_anchored]", "seeds=[0]", f"out={copied}")
    assert outcome.code == 0, outcome.err
    assert [command[0] for command in here] == ["finetune"]
    assert times(copied / "cache") == before
    assert [row["method"] for row in summary(copied)["rows"]] == ["porl", "porl_anchored"]
    assert "runs/arm_reach/porl_anchored/0: done in " in outcome.out


def test_what_a_crash_left_is_gone_on_with_or_begun_again(cli, copied, here):
    out = copied / "runs/arm_reach/porl/0"
    before = summary(out)
    (out / "summary.json").unlink()
    shutil.rmtree(out / "checkpoints/000000400")
    (bc,) = (copied / "cache").glob("bc-*")
    (bc / "summary.json").unlink()
    outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0]", f"out={copied}")
    assert outcome.code == 0, outcome.err
    assert [command[0] for command in here] == ["pretrain", "finetune"]
    assert here[1] == ["finetune", f'resume="{out}"']
    assert summary(out)["curve"][:2] == before["curve"][:2]


def test_a_run_that_fails_is_told_and_the_others_go_on(cli, copied, here):
    (bc,) = (copied / "cache").glob("bc-*")
    (bc / "policy.safetensors").write_bytes(b"cut")
    settings = [*SETTINGS[:-1], "method.warm_up.fit.updates=40", "jobs=2"]
    outcome = cli("compare", *settings, "methods=[porl_anchored,porl]", "seeds=[0]", f"out={copied}")
    assert outcome.code == 1
    assert outcome.err.startswith("porl-robot compare: arm_reach porl_anchored seed 0: ")
    assert "policy.safetensors is missing or damaged" in outcome.err and outcome.err.count("\n") == 1
    first, second = summary(copied)["rows"]
    assert (first["seeds"], first["final"], second["seeds"]) == (0, None, 1)
    assert summary(copied)["failed"] == [outcome.err.removeprefix("porl-robot compare: ").strip()]
    assert "Runs that failed: 1; that were not made: 0." in outcome.out


def test_an_input_that_fails_fails_its_runs(cli, tmp_path, here):
    settings = [*SETTINGS, "methods=[porl,porl_anchored]", "seeds=[0]", "env.adapter.speed=0"]
    outcome = cli("compare", *settings, f"out={tmp_path / 'out'}")
    assert outcome.code == 1 and [command[0] for command in here] == ["collect"]
    reasons = [line.partition(": ")[2] for line in outcome.err.splitlines()]
    assert [reason.partition(": ")[0] for reason in reasons] == [
        f"arm_reach {m} seed 0" for m in ("porl", "porl_anchored")
    ]
    assert len({reason.partition(": ")[2] for reason in reasons}) == 1


def test_a_run_that_stopped_itself_is_not_repeated(cli, copied, here):
    path = copied / "runs/arm_reach/porl/0/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stopped_because": "too few successes"}))
    outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0]", f"out={copied}")
    assert (outcome.code, here) == (1, [])
    assert outcome.err == "porl-robot compare: arm_reach porl seed 0: too few successes\n"


def test_the_budget_leaves_out_what_there_is_no_time_for(cli, copied, here):
    outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0,1,2]", "budget=1e-6", f"out={copied}")
    assert outcome.code == 0 and here == []
    assert "; time for 0 in 1e-06 h, from arm_reach porl seed 1 on they are left out\n" in outcome.out
    assert summary(copied)["left_out"] == ["arm_reach porl seed 1", "arm_reach porl seed 2"]
    assert summary(copied)["rows"][0]["seeds"] == 1 and summary(copied)["rows"][0]["planned"] == 3


def test_other_settings_are_refused_by_name(cli, copied, here):
    outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0]", "learner.members=4", f"out={copied}")
    assert outcome.code == 2 and here == []
    assert (
        "porl/0: was run with learner.members=10, now it is 4; give another out, or delete that folder" in outcome.err
    )


def test_two_comparisons_do_not_share_a_folder(cli, copied, here):
    with (copied / "compare.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = cli("compare", *SETTINGS, "methods=[porl]", "seeds=[0]", f"out={copied}")
    assert outcome.code == 2 and "another comparison is running in it" in outcome.err


def test_a_folder_that_holds_something_else_is_refused(cli, log):
    before = times(log)
    outcome = cli("compare", f"out={log}")
    assert outcome.code == 2 and times(log) == before
    assert f"out={log}: holds config.yaml and no comparison; give a new folder or that of a comparison" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["methods=[]"], "methods=[]: is empty; expected methods that differ"),
        (["envs=[]"], "envs=[]: is empty"),
        (["seeds=[1,2,1]"], "seeds=[1,2,1]: holds a value twice; expected seeds that differ"),
        (["seeds=[0,-1]"], "seeds=-1: expected a whole number of at least 0"),
        (["seeds=[0,abc]"], "seeds=[0,abc]: expected a list"),
        (["seeds=3"], "seeds=3: expected a list as in [1, 2]"),
        (["methods=porl,sac_naive"], "expected a list as in methods=[porl,sac_naive]"),
        (["methods=porl"], "methods=porl: expected a list as in [one, other]"),
        (["methods=[porl,sacc]"], "method=sacc: no such method; there are "),
        (["methods=[bc]"], "this one pre-trains; expected a fine-tuning method such as porl (for bc on arm_reach)"),
        (["envs=[arm_reech]"], "env=arm_reech: no such env; there are arm_lift"),
        (
            ["envs=[dm_control]", "env.domain=reacher", "env.task=easy"],
            "has no scripted demonstrator; there is one for arm_lift",
        ),
        (["env=arm_reach"], "unknown key env; did you mean envs?"),
        (["skill=excellent"], "skill=excellent: expected clean or degraded"),
        (["demonstrations=1"], "demonstrations=1: expected a whole number of at least 2"),
        (["jobs=0"], "jobs=0: expected a whole number of at least 1"),
        (["budget=0"], "budget=0: expected hours above 0, or null"),
        (["budget=-1.5"], "budget=-1.5: expected hours above 0, or null"),
        (["budget=soon"], "budget=soon: expected a number or null"),
        (["budget=1e-4"], "budget=0.0001: the first run needs about 0.0"),
        (["learner=medium"], "learner=medium: no such learner; there are large, small (for porl on arm_reach)"),
        (["learner=small,large"], "expected one value"),
        (["learner.members=0"], "learner.members 0 must be at least 1"),
        (["method.warm_up.stps=3"], "did you mean method.warm_up.steps? (for porl on arm_reach)"),
        (["methods=[sac_naive]", "method.warm_up.fit.updates=3"], "unknown key method.warm_up.fit.updates"),
        (["safety.speed=2"], "safety.speed=2: expected a number above 0 and at most 1"),
        (["-m"], "-m: compare is a sweep itself; give lists as in seeds=[0,1,2]"),
    ],
)
def test_wrong_usage_is_refused(cli, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    outcome = cli("compare", *arguments)
    assert outcome.code == 2 and says in outcome.err, outcome.err
    assert outcome.err.count("\n") == 1 and outcome.out == "" and list(tmp_path.iterdir()) == []
