"""Policies, logs and runs that cannot be used: one line that names what is wrong, and nothing written."""

import json
import shutil

import numpy as np
import pytest
import zarr

from .refusal import REACH, assert_refused, contents

pytestmark = pytest.mark.usefixtures("elsewhere")


def changed(source, target, **edits):
    """A copy of the folder `source` with keys of its `policy.json` replaced."""
    shutil.copytree(source, target)
    path = target / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edits))


def break_policy(kind, policy, target):
    if kind == "a file":
        target.write_text("x")
    elif kind == "empty":
        target.mkdir()
    elif kind == "of another version":
        changed(policy, target, format_version=7)
    elif kind == "of another hash":
        changed(policy, target, hash="0")
    elif kind == "of other sizes":
        changed(policy, target, hidden=[3])
    elif kind == "of odd sizes":
        changed(policy, target, hidden="wide")
    elif kind != "absent":
        shutil.copytree(policy, target)
        weights = target / "policy.safetensors"
        if kind == "cut":
            weights.write_bytes(weights.read_bytes()[:1000])
        elif kind == "without weights":
            weights.unlink()
        elif kind == "garbage":
            (target / "policy.json").write_bytes(b"\xff{")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("absent", "holds no policy.json; give a folder written by pretrain or finetune"),
        ("a file", "holds no policy.json"),
        ("empty", "holds no policy.json"),
        ("cut", "policy.safetensors is missing or damaged"),
        ("without weights", "policy.safetensors is missing or damaged"),
        ("garbage", "policy.json is not a policy description"),
        ("of another version", "format version 7, this program reads 1"),
        ("of another hash", "does not match the hash"),
        ("of other sizes", "policy.safetensors has "),
        ("of odd sizes", "policy.json lacks or garbles"),
    ],
)
@pytest.mark.parametrize("verb", ["evaluate", "finetune", "evaluate -m"])
def test_bad_policies_are_refused(cli, tmp_path, policy, verb, kind, says):
    broken = tmp_path / "broken"
    break_policy(kind, policy, broken)
    given = f"policy={policy},{broken}" if "-m" in verb else f"policy={broken}"
    outcome = cli(*verb.split(), REACH, given, f"out={tmp_path / 'out'}")
    assert_refused(outcome, 1, verb.split()[0], says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["evaluate", "finetune"])
def test_a_policy_of_another_task_is_refused(cli, tmp_path, policy, verb):
    outcome = cli(verb, "env=arm_push", f"policy={policy}")
    assert_refused(outcome, 1, verb, "was made for arm_reach (18 observations, 4 actions, 20 Hz) and does not fit")
    assert list(tmp_path.iterdir()) == []


def break_log(kind, log, target):
    if kind == "a file":
        target.write_text("x")
    elif kind == "empty":
        target.mkdir()
    elif kind != "absent":
        shutil.copytree(log, target)
        path = target / "log.zarr" / ".zattrs"
        group = zarr.open_group(str(target / "log.zarr"), mode="r+")
        if kind == "of another version":
            path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 9}))
        elif kind == "garbage":
            path.write_text("{")
        elif kind == "with NaN observations":
            group["data/observation.state"][7, 2] = np.nan
        elif kind == "with infinite actions":
            group["data/action"][9, 1] = np.inf
        elif kind == "with actions out of range":
            group["data/action"][9, 1] = -1.5
        elif kind == "with impossible rewards":
            group["data/next.reward"][9] = 0.5


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("absent", "holds no log.zarr; expected a run folder"),
        ("a file", "holds no log.zarr"),
        ("empty", "holds no log.zarr"),
        ("of another version", "is a log of format version 9; expected"),
        ("garbage", "cannot be read"),
        ("with NaN observations", "data/observation.state: not finite in 1 rows, first in episode 0, step 7"),
        ("with infinite actions", "data/action: not finite in 1 rows"),
        ("with actions out of range", "data/action: outside [-1, 1] in 1 rows, first in episode 0, step 9; expected"),
        (
            "with impossible rewards",
            "data/next.reward: outside the task's [-1, 0] in 1 rows, first in episode 0, step 9",
        ),
    ],
)
def test_bad_logs_are_refused(cli, tmp_path, log, kind, says):
    broken = tmp_path / "broken"
    break_log(kind, log, broken)
    assert_refused(cli("pretrain", REACH, f"log={broken}", f"out={tmp_path / 'out'}"), 1, "pretrain", says)
    assert not (tmp_path / "out").exists()


def test_a_log_of_another_task_is_refused(cli, tmp_path, log):
    outcome = cli("pretrain", "env=arm_push", f"log={log}")
    assert_refused(outcome, 1, "pretrain", "its env is arm_reach, arm_push has arm_push; give a log of arm_push")
    assert list(tmp_path.iterdir()) == []


def test_a_log_of_one_episode_is_refused(cli, tmp_path):
    assert cli("collect", REACH, "episodes=1", "out=one").code == 0
    assert_refused(
        cli("pretrain", REACH, "log=one", "out=out"), 1, "pretrain", "holds 1 episodes, pre-training needs 2"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "holds no config.yaml; give the out folder of a finetune run"),
        ("", "is not the config of a finetune run (env is missing)"),
        ("- 1", "is not the config of a finetune run"),
        ("{", "is not the config of a finetune run"),
        ("steps: many", "is not the config of a finetune run"),
        ("wheels: 4", "is not the config of a finetune run"),
    ],
)
def test_only_runs_are_resumed(cli, tmp_path, content, says):
    (tmp_path / "run").mkdir()
    if content is not None:
        (tmp_path / "run" / "config.yaml").write_text(content)
    before = contents(tmp_path)
    assert_refused(cli("finetune", "resume=run"), 1, "finetune", says)
    assert contents(tmp_path) == before


def test_only_finetune_runs_are_resumed(cli, policy):
    before = contents(policy)
    outcome = cli("finetune", f"resume={policy}")
    assert_refused(outcome, 1, "finetune", "is not the config of a finetune run (policy is missing)")
    assert contents(policy) == before


def test_fewer_steps_than_were_taken_are_refused(cli, tuned):
    before = (tuned / "summary.json").read_bytes()
    outcome = cli("finetune", f"resume={tuned}", "steps=100")
    assert_refused(outcome, 2, "finetune", "has 400 steps already; expected at least those")
    assert (tuned / "summary.json").read_bytes() == before
