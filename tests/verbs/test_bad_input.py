"""Wrong command lines: one line that names key, value and what would be accepted, and nothing written."""

import json
import shutil

import numpy as np
import pytest
import torch
import zarr

REACH = "env=arm_reach"
ENVS = "there are arm_lift, arm_push, arm_reach, dm_control, gymnasium, robosuite_"

USAGE = [
    ([], "a verb is missing; there are demo, collect"),
    (["fly"], "no such verb; there are demo, collect"),
    (["collect"], f"env=... is missing; {ENVS}"),
    (["collect", "env=arm_reech"], f"env=arm_reech: no such env; {ENVS}"),
    (["collect", "env="], f"env=: no such env; {ENVS}"),
    (["collect", "env=arm_reach,arm_push"], "several values need -m"),
    (["collect", "environment=arm_reach"], "unknown key environment; did you mean env?"),
    (["collect", "env.domain=reacher"], f"env=... is missing; {ENVS}"),
    (["collect", REACH, "epsiodes=3"], "unknown key epsiodes; did you mean episodes?"),
    (["collect", REACH, "policy=x"], "unknown key policy; porl-robot collect --help lists the keys"),
    (["collect", REACH, "+foo=1"], "+foo=1: unknown key foo"),
    (["collect", REACH, "++foo=1"], "++foo=1: unknown key foo"),
    (["collect", REACH, "env.foo=1"], "unknown key env.foo; there are env.name, env.adapter, env.demonstrator"),
    (["collect", REACH, "hydra.run.dir=x"], "unknown key hydra.run.dir"),
    (["collect", REACH, "~episodes"], "~episodes: expected key=value"),
    (["collect", REACH, "~env"], "~env: expected key=value"),
    (["collect", REACH, "episodes"], "episodes: expected key=value"),
    (["collect", REACH, "=3"], "=3: expected key=value"),
    (["collect", REACH, "--fast"], "--fast: expected key=value"),
    (["collect", REACH, "episodes=[1"], "episodes=[1: the value cannot be read"),
    (["collect", REACH, "episodes=abc"], "episodes=abc: expected a whole number"),
    (["collect", REACH, "episodes=1e3"], "episodes=1e3: expected a whole number"),
    (["collect", REACH, "episodes=0"], "episodes=0: expected a whole number of at least 1"),
    (["collect", REACH, "episodes=-5"], "episodes=-5: expected a whole number of at least 1"),
    (["collect", REACH, "seed=-1"], "seed=-1: expected a whole number of at least 0"),
    (["collect", REACH, "seed=1.5"], "seed=1.5: expected a whole number"),
    (["collect", REACH, "seed=null"], "seed=null: expected a whole number"),
    (["collect", REACH, f"seed={2**70}"], "expected a whole number of at most 4294967295"),
    (["collect", REACH, "skill=foo"], "skill=foo: expected clean or degraded"),
    (["collect", REACH, "env.skills.clean.bias=abc"], "env.skills.clean.bias=abc: expected a number"),
    (["collect", REACH, "env.adapter._target_=sim.nothing"], "expected a name that can be imported"),
    (["collect", REACH, "safety=fast"], "safety=fast: no such safety; there are default"),
    (["collect", REACH, "safety.sped=1"], "unknown key safety.sped; did you mean safety.speed?"),
    (["collect", REACH, "safety.speed=0"], "safety.speed=0: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=1.1"], "safety.speed=1.1: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=nan"], "safety.speed=nan: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=abc"], "safety.speed=abc: expected a number above 0 and at most 1"),
    (["collect", "env=robosuite_door"], "has no scripted demonstrator; there is one for arm_lift, arm_push"),
    (["collect", "env=dm_control"], "env.domain=... is missing"),
    (["collect", "env=dm_control", "env.domain=reacher"], "env.task=... is missing"),
    (["collect", "env=gymnasium"], "env.id=... is missing"),
    (["collect", REACH, "resume=x"], "unknown key resume"),
    (["pretrain", REACH], "log=... is missing; expected the folder written by collect or finetune"),
    (["pretrain", REACH, "log="], "log=: expected text"),
    (["pretrain", REACH, "log=x", "method=foo"], "method=foo: no such method; there are a3rl, adaptive_bc, awac, bc"),
    (["pretrain", REACH, "log=x", "method=porl"], "method=porl: only fine-tunes; pretrain accepts bc, coil, awac"),
    (["pretrain", REACH, "log=x", "steps=-5"], "steps=-5: expected a whole number of at least 1"),
    (["pretrain", REACH, "log=x", "method.hiden=[8]"], "unknown key method.hiden; did you mean method.hidden?"),
    (["pretrain", REACH, "log=x", "method.patience=abc"], "method.patience=abc: expected a whole number or null"),
    (["evaluate", REACH], "policy=... is missing; expected the folder written by pretrain or finetune"),
    (["evaluate", REACH, "policy=x", "sampled=maybe"], "sampled=maybe: expected true or false"),
    (["evaluate", "-m"], f"env=... is missing; {ENVS}"),
    (["finetune", REACH], "method=porl needs policy=FOLDER"),
    (["finetune", REACH, "method=bc"], "this one pre-trains; expected a fine-tuning method such as porl"),
    (["finetune", REACH, "policy=x", "eval_every=0"], "eval_every=0: expected a whole number of at least 1"),
    (["finetune", REACH, "method.target.discount=2"], "target.discount 2 is outside (0, 1)"),
    (["finetune", REACH, "method.target.discount=abc"], "method.target.discount=abc: expected a number"),
    (["finetune", REACH, "method.critic.tau=inf"], "method.critic.tau=inf: expected a number"),
    (["finetune", REACH, "method.target.discont=.9"], "did you mean method.target.discount?"),
    (["finetune", REACH, "method.actor_loss.value=foo"], "method.actor_loss.value=foo: expected mean or min"),
    (["finetune", REACH, "method.warm_up.fit=3"], "method.warm_up.fit=3: expected a node with _target_ or null"),
    (["finetune", REACH, "method.warm_up.fit={lr:1}"], "method.warm_up.fit={lr:1}: Key 'lr' is not in struct"),
    (["finetune", REACH, "method.warm_up.steps=-1"], "warm_up.steps -1 is negative"),
    (["finetune", REACH, "learner=medium"], "learner=medium: no such learner; there are large, small"),
    (["finetune", REACH, "learner.backend=foo"], "learner.backend=foo: expected eager or compile"),
    (["finetune", REACH, "learner.device=tpu"], "learner.device=tpu: is not here; expected cpu"),
    (["finetune", REACH, "learner.members=0"], "learner.members 0 must be at least 1"),
    (["finetune", REACH, "learner.members=null"], "learner.members=null: expected a whole number"),
    (["finetune", REACH, "learner.hidden=64"], "learner.hidden=64: expected a list as in [64, 64]"),
    (["finetune", REACH, "learner.hidden=[64,abc]"], "learner.hidden=[64,abc]: expected a list as in [64, 64]"),
    (["finetune", "resume="], "resume=: expected text or null"),
    (["finetune", "resume=x", REACH], f"{REACH}: only steps and arm may be given beside resume"),
    (["finetune", "resume=x", "seed=3"], "seed=3: only steps and arm may be given beside resume"),
    (["finetune", "resume=x", "steps=abc"], "steps=abc: expected a whole number"),
    (["finetune", "resume=x", "steps"], "steps: expected key=value"),
    (["finetune", "-m", "resume=x,y"], "goes on with one run; leave out -m"),
    (["finetune", "-m", REACH, "method=glob(porl*)", "policy=x"], "cannot be swept over"),
    (["finetune", "-m", REACH, "method=sac_scratch", "method.target.discount=.9,2"], "target.discount 2 is outside"),
    (["finetune", "-m", REACH, "method=sac_scratch,bc"], "this one pre-trains; expected a fine-tuning method"),
    (["finetune", "-m", REACH, "method=sac_scratch,porl"], "method=porl needs policy=FOLDER"),
    (["finetune", "-m", REACH, "method=sac_scratch", "learner.device=cpu,tpu"], "learner.device=tpu: is not here"),
    (["pretrain", "-m", REACH, "log=x", "method=porl,bc"], "method=porl: only fine-tunes; pretrain accepts bc, coil"),
    (["collect", "-m", "env=arm_reach,robosuite_door"], "env=robosuite_door: has no scripted demonstrator"),
    (["evaluate", "-m", REACH, "policy=x", "seed=1,abc"], "seed=abc: expected a whole number"),
    (["evaluate", "-m", REACH, "policy=x", "seed=1,-2"], "seed=-2: expected a whole number of at least 0"),
    (["evaluate", "-m", "env=arm_reach,arm_foo", "policy=x"], f"env=arm_foo: no such env; {ENVS}"),
    (["demo", "env=robosuite_door"], "has no scripted demonstrator"),
    (["demo", "method=bc"], "this one pre-trains"),
    (["demo", "learner.members=0"], "learner.members 0 must be at least 1"),
    (["demo", "episodes=0"], "episodes=0: expected a whole number of at least 1"),
    (["log"], "expected log info|verify|repair PATH"),
    (["log", "frob", "x"], "expected log info|verify|repair PATH"),
    (["log", "info"], "expected log info|verify|repair PATH"),
    (["log", "info", "x", "y"], "expected log info|verify|repair PATH"),
]


def named(case):
    return " ".join(case[0]) or "nothing"


def assert_refused(outcome, code, verb, says):
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith(f"porl-robot {verb}".rstrip() + ": ")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory: the default out folder lies in it."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("arguments", "says"), USAGE, ids=map(named, USAGE))
def test_wrong_usage_is_refused(cli, tmp_path, arguments, says):
    assert_refused(cli(*arguments), 2, arguments[0] if arguments else "", says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_is_refused(cli, tmp_path, policy):
    outcome = cli("finetune", REACH, f"policy={policy}", "learner.device=cuda")
    assert_refused(outcome, 2, "finetune", "learner.device=cuda: is not here; expected cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["env=dm_control", "env.domain=reachr", "env.task=easy"], "nearest: reacher/easy"),
        (["env=gymnasium", "env.id=FetchReech-v4"], "nearest: FetchReach-v4"),
        (["env=gymnasium", "env.id=CartPole-v1"], "has discrete actions; continuous ones are needed"),
    ],
)
def test_tasks_of_the_suites_are_refused_by_name(cli, tmp_path, policy, arguments, says):
    assert_refused(cli("evaluate", *arguments, f"policy={policy}"), 2, "evaluate", says)
    assert list(tmp_path.iterdir()) == []


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


def contents(folder):
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("verb", ["collect", "pretrain", "evaluate", "finetune", "demo", "evaluate -m"])
def test_nothing_is_overwritten(cli, tmp_path, log, policy, tuned, verb):
    inputs = {"pretrain": [f"log={log}"], "evaluate": [f"policy={policy}"], "finetune": [f"policy={policy}"]}
    out = tmp_path / "out"
    holder = out / "1" if "-m" in verb else out
    for held in (log, policy, tuned):
        shutil.copytree(held, holder)
        before = contents(out)
        seeds = ["seed=1,2"] if "-m" in verb else []
        outcome = cli(*verb.split(), REACH, *inputs.get(verb.split()[0], []), *seeds, f"out={out}")
        assert_refused(outcome, 2, verb.split()[0], f"out={holder}: already holds a run")
        assert contents(out) == before
        shutil.rmtree(out)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_place_that_cannot_be_written_is_refused(cli, tmp_path, policy, place):
    (tmp_path / "file").write_text("mine")
    outcome = cli("evaluate", REACH, f"policy={policy}", "episodes=1", f"out={place}")
    assert_refused(outcome, 2, "evaluate", f"out={place}: cannot be written")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("value", ["", "null", "[1]"])
def test_out_has_to_be_a_name(cli, tmp_path, policy, value):
    assert_refused(cli("evaluate", REACH, f"policy={policy}", f"out={value}"), 2, "evaluate", "expected text")
    assert list(tmp_path.iterdir()) == []


def test_sweeps_write_to_one_folder(cli, tmp_path, policy):
    outcome = cli("evaluate", "-m", REACH, f"policy={policy}", "seed=1,2", "out=a,b")
    assert_refused(outcome, 2, "evaluate", "out=a,b: expected one folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["it's", "a=b", "a(b)", 'say "so"'])
def test_odd_names_are_refused_with_the_quotes_they_need(cli, tmp_path, policy, name):
    outcome = cli("evaluate", REACH, f"policy={policy}", f"out={name}")
    assert_refused(outcome, 2, "evaluate", "needs quotes within quotes")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "it's", "a=b (c), d"])
def test_odd_names_are_written_when_quoted(cli, tmp_path, policy, name):
    assert cli("evaluate", REACH, f"policy={policy}", "episodes=1", f'out="{name}"').code == 0
    assert (tmp_path / name / "summary.json").is_file()


def test_an_unknown_interpolation_is_told(cli, tmp_path, policy):
    outcome = cli("evaluate", REACH, f"policy={policy}", "out=${x}")
    assert_refused(outcome, 2, "evaluate", "out=${x}: Interpolation key 'x' not found")
    assert list(tmp_path.iterdir()) == []


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
