"""Every preset from the command line: it runs, and it can be taken up again."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from porl_robot.analysis.summary import SCHEMA
from porl_robot.cli import run
from porl_robot.learner.backend import compile_update
from porl_robot.learner.networks_file import CRITICS
from porl_robot.policy.checkpoint import load_policy
from porl_robot.policy.network import median_std
from porl_robot.replay.log import read_log
from porl_robot.replay.record import Phase, Source
from porl_robot.verbs import finetune
from porl_robot.verbs.compose import load

from .presets import OFFLINE, SMALL, TUNING, command
from .refusal import REACH

LACKING = {
    "a3rl": ["actor", "critics", "density", "priority"],
    "adaptive_bc": ["critics"],
    "awac": [],
    "cal_ql": [],
    "cql": [],
    "enoto": ["critics"],
    "ibrl": ["actor", "critics"],
    "iql": [],
    "jsrl": ["actor", "critics"],
    "off2on": ["critics", "density", "priority"],
    "opt": ["critics", "density", "priority"],
    "pex": ["actor"],
    "porl": ["critics"],
    "porl_anchored": ["critics"],
    "q2rl": ["critics", "reference_value"],
    "rlpd": ["actor", "critics"],
    "sac_naive": ["critics"],
    "sac_scratch": ["actor", "critics"],
    "td3_bc": [],
    "td3_c": ["multiplier"],
    "wsrl": ["critics"],
}


@pytest.fixture(scope="module", autouse=True)
def without_reports():
    """Drawing takes longer than learning here, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "write_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def tuned(pretrained, log):
    """The run of a preset on the policy it is meant for, each made once."""
    made = {}

    def folder(method):
        if method not in made:
            made[method] = log.parent / f"tuned_{method}"
            assert run(command(method, pretrained, log, made[method])) == 0
        return made[method]

    return folder


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def numbers(value):
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.parametrize("method", OFFLINE)
def test_offline_methods_leave_a_policy_and_critics(pretrained, method):
    said, folder = summary(pretrained(method)), pretrained(method)
    assert list(said) == [key.name for key in SCHEMA["pretrain"]]
    assert (said["method"], said["steps"]) == (method, 30)
    assert load_policy(folder).hash == said["policy_hash"]
    tensors = load_file(folder / CRITICS)
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert ("value.w0" in tensors) == (method == "iql")


@pytest.mark.parametrize("method", TUNING)
def test_every_preset_fine_tunes(tuned, method):
    folder, said = tuned(method), summary(tuned(method))
    assert list(said) == [key.name for key in SCHEMA["finetune"]]
    assert (said["method"], said["env_steps"], said["stopped_because"]) == (method, 120, None)
    assert len(numbers(said)) > 15 and all(math.isfinite(number) for number in numbers(said))
    load_policy(folder)  # refuses what is not finite
    assert all(tensor.isfinite().all() for tensor in load_file(folder / CRITICS).values())
    assert 40 <= said["unfreeze_step"] <= 100
    assert said["actor_updates"] == 120 - said["unfreeze_step"]
    assert said["critic_updates"] >= 2 * said["actor_updates"]


def test_a_policy_of_exact_demonstrations_explores_less(cli, tmp_path, policy, log):
    exact = tmp_path / "exact"
    shutil.copytree(policy, exact)
    seen = read_log(log).observation
    described = json.loads((policy / "policy.json").read_text())
    assert described["provenance"]["median_std"] == pytest.approx(median_std(load_policy(policy), seen))
    described["provenance"]["median_std"] = 0.12
    (exact / "policy.json").write_text(json.dumps(described))
    folders = {given.name: tmp_path / f"from_{given.name}" for given in (policy, exact)}
    for given in (policy, exact):
        steps = ["steps=40", "eval_every=40", "eval_episodes=1", "final_episodes=1"]
        told = cli("finetune", REACH, f"policy={given}", *SMALL, *steps, f"out={folders[given.name]}")
        assert told.code == 0 and ("explores with std 0.12 instead of 0.2" in told.out) == (given == exact)
        assert "steps=40 ends within the pre-sample of 2000 steps: the actor will not be updated" in told.out
    stds = {name: median_std(load_policy(folder), seen) for name, folder in folders.items()}
    assert stds == pytest.approx({"policy": 0.2, "exact": 0.12}, rel=1e-3)
    assert load_policy(folders["exact"]).spec.provenance["median_std"] == 0.12


def test_one_of_two_policies_that_act_together_is_not_taken_for_both(cli, tmp_path, tuned):
    steps = ["steps=40", "eval_every=40", "eval_episodes=1", "final_episodes=1"]
    given = ["method=jsrl", f"policy={tuned('ibrl')}", *SMALL, *steps]
    told = cli("finetune", REACH, *given, f"out={tmp_path / 'out'}")
    assert told.code == 0, told.err
    assert f"policy={tuned('ibrl')} holds two policies that act together" in told.out
    assert "both are the same policy" not in told.out


@pytest.mark.parametrize("method", TUNING)
def test_what_no_checkpoint_gave_is_listed(tuned, method):
    assert sorted(summary(tuned(method))["initialised"]) == LACKING[method]


def test_the_log_says_where_the_reference_acted(tuned):
    for method in ("ibrl", "pex", "q2rl", "jsrl"):
        data = read_log(tuned(method))
        guided = data.source == Source.GUIDE
        assert guided.any() and (data.log_prob[guided] != data.log_prob[guided]).all()
        assert not (data.log_prob[~guided] != data.log_prob[~guided]).any()


def test_curriculum_leaves_a_policy_any_method_can_begin_with(cli, tmp_path, pretrained):
    said, out = summary(pretrained("coil")), tmp_path / "out"
    assert said["method"] == "coil" and 30 < said["kept_step"] <= said["steps"] <= 30 + 6 * 5
    assert not (pretrained("coil") / CRITICS).exists()
    sizes = ["steps=60", "eval_every=60", "eval_episodes=1", "final_episodes=1"]
    given = [f"policy={pretrained('coil')}", *SMALL, *sizes, "method.warm_up.steps=40"]
    assert cli("finetune", REACH, "method=sac_naive", *given, f"out={out}").code == 0
    assert summary(out)["actor_updates"] == 20


def test_steps_shorten_a_curriculum_too(cli, tmp_path, log):
    """`steps` is a key of the verb; it may not be ignored in silence."""
    given = [REACH, "method=coil", f"log={log}", "eval_episodes=1", "method.steps_per_stage=5", "steps=10"]
    outcome = cli("pretrain", *given, f"out={tmp_path / 'out'}")
    assert outcome.code != 0 or summary(tmp_path / "out")["steps"] < 100


# The frozen beginning, and taking up again.


def weights(folder):
    return load_policy(folder).weights


def test_pre_sample_leaves_policy_and_critics_as_they_were(cli, tmp_path, pretrained):
    """Bit for bit; the further critics are copies of those that were given."""
    given, out = pretrained("cal_ql"), tmp_path / "out"
    sizes = [*SMALL, "steps=60", "eval_every=60", "eval_episodes=1", "final_episodes=1", "method.warm_up.steps=500"]
    assert cli("finetune", REACH, "method=wsrl", f"policy={given}", *sizes, f"out={out}").code == 0
    assert summary(out)["actor_updates"] == summary(out)["critic_updates"] == 0
    assert all((array == weights(given)[name]).all() for name, array in weights(out).items())
    before, after = load_file(given / CRITICS), load_file(out / CRITICS)
    assert torch.equal(after["temperature.log_alpha"], before["temperature.log_alpha"])
    assert torch.equal(after["critics.w0"][:2], before["critics.w0"]) and len(after["critics.w0"]) == 10
    assert set(read_log(out).phase) == {Phase.PRE_SAMPLE}


def crashed(folder, out):
    """A copy of a run whose last checkpoint was never written."""
    shutil.copytree(folder, out)
    shutil.rmtree(out / "checkpoints" / "000000120")
    (out / "summary.json").unlink()
    (out / "policy.json").unlink()
    return out


@pytest.mark.parametrize("method", ["opt", "off2on", "adaptive_bc", "ibrl"])
def test_a_crashed_run_catches_up_bit_for_bit(cli, tmp_path, tuned, method):
    """From the steps in the log alone: priorities, both banks, controllers."""
    out = crashed(tuned(method), tmp_path / "out")
    outcome = cli("finetune", f"resume={out}")
    assert outcome.code == 0, outcome.err
    assert load_policy(out).hash == load_policy(tuned(method)).hash
    ours, theirs = load_file(out / CRITICS), load_file(tuned(method) / CRITICS)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    assert summary(out)["critic_updates"] == summary(tuned(method))["critic_updates"]


def test_a_run_that_was_planned_for_longer_can_end_sooner(cli, tmp_path, tuned):
    """It kept priorities of more rows."""
    for name, further in (("longer", 300), ("as it was", 0)):
        shutil.copytree(tuned("opt"), tmp_path / name)
        path = tmp_path / name / "checkpoints" / "000000120" / "learner.safetensors"
        tensors = load_file(path)
        tensors["priority.rows"] = torch.cat([tensors["priority.rows"], torch.zeros(further)])
        save_file(tensors, path)
        outcome = cli("finetune", f"resume={tmp_path / name}", "steps=160")
        assert outcome.code == 0, outcome.err
    assert load_policy(tmp_path / "longer").hash == load_policy(tmp_path / "as it was").hash


@pytest.mark.parametrize("method", ["opt", "ibrl"])
def test_a_finished_run_can_go_on_for_longer(cli, tmp_path, tuned, method):
    out = tmp_path / "out"
    shutil.copytree(tuned(method), out)
    outcome = cli("finetune", f"resume={out}", "steps=160")
    assert outcome.code == 0, outcome.err
    said, before = summary(out), summary(tuned(method))
    assert said["env_steps"] == 160 and said["actor_updates"] == before["actor_updates"] + 40
    assert said["unfreeze_step"] == before["unfreeze_step"]
    assert load_policy(out).hash != load_policy(tuned(method)).hash


def test_other_widths_than_those_of_the_checkpoint_are_told(cli, tmp_path, pretrained, log):
    for hidden, told in (("[8]", False), ("[16]", True)):
        given = [*command("wsrl", pretrained, log, tmp_path / f"out{told}"), f"learner.hidden={hidden}"]
        outcome = cli(*given)
        assert outcome.code == 0, outcome.err
        assert ("learner.hidden=[16] is not used: the critics of policy=" in outcome.out) == told


# Compiled.


@pytest.mark.slow
@pytest.mark.parametrize("method", TUNING)
def test_compiled_equals_eager(pretrained, log, tmp_path, method):
    torch.compiler.reset()  # it compiles one function for so many methods only
    overrides = command(method, pretrained, log, tmp_path / "out")[1:]
    eager, compiled = (made_learner(load("finetune", overrides)) for _ in range(2))
    compiled._update = compile_update()
    before = {name: tensor.detach().clone() for name, tensor in eager.state.tensors()}
    for step in range(1, 9):
        eager.block(len(eager.buffer), step)
        compiled.block(len(compiled.buffer), step)
    moved = set()
    for (name, one), (_, other) in zip(eager.state.tensors(), compiled.state.tensors(), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4), name
        if not torch.equal(one, before[name]):
            moved.add(name.partition(".")[0])
    assert {"actor", "critics", "targets"} <= moved


def made_learner(config):
    """As `finetune` makes it, with the log's rows offline and online."""
    from pathlib import Path

    from porl_robot.learner.learner import Learner
    from porl_robot.learner.networks_file import load_networks
    from porl_robot.replay.buffer import ReplayBuffer
    from porl_robot.verbs.build import make_learner_config, make_method

    method, folder = make_method(config), Path(config.policy)
    policy, data = load_policy(folder), read_log(Path(config.log))
    buffer = ReplayBuffer(data.rows, policy.spec.observation_size, policy.spec.action_size, offline=data)
    buffer.extend(data)
    found = load_networks(folder, policy) if "critics" in method.requires else None
    return Learner(method, make_learner_config(config), policy, buffer, (-1.0, 0.0), 0, policy, found)
