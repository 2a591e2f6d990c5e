"""What a preset needs is asked for in one line, before anything moves."""

import pytest

from porl_robot.learner.networks_file import CRITICS
from porl_robot.replay.log import read_log
from porl_robot.replay.writer import LogWriter

from .presets import CLONING, OFFLINE, PRESETS, SHORT, SMALL, command
from .refusal import REACH


def assert_refused(outcome, *words):
    assert outcome.code in (1, 2) and outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err


NEEDY = sorted(name for name, preset in PRESETS.items() if "critics" in preset.get("requires", []))


@pytest.mark.parametrize("method", ["wsrl", "cal_ql", "opt"])
def test_critics_are_asked_for_with_the_way_to_get_them(cli, tmp_path, policy, log, method):
    assert method in NEEDY
    outcome = cli("finetune", REACH, f"method={method}", f"policy={policy}", f"log={log}", f"out={tmp_path / 'out'}")
    made_by = PRESETS[method]["pretraining"]
    assert_refused(outcome, "critics", CRITICS, f"pretrain method={made_by}", "method=porl", str(policy))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["cal_ql", "opt"])
def test_whoever_has_a_policy_alone_is_told_of_everything_that_is_missing(cli, tmp_path, policy, method):
    made_by = f"pretrain method={PRESETS[method]['pretraining']}"
    outcome = cli("finetune", REACH, f"method={method}", f"policy={policy}", f"out={tmp_path / 'out'}")
    assert_refused(outcome, "log=FOLDER", "critics", made_by, "method=porl needs the policy alone")
    outcome = cli("finetune", REACH, f"method={method}", f"out={tmp_path / 'out'}")
    assert_refused(outcome, "policy=FOLDER", "log=FOLDER", "critics", made_by, "method=porl", "method=sac_scratch")


@pytest.mark.parametrize("method", NEEDY)
def test_the_way_to_get_critics_is_one(method):
    assert PRESETS[method]["pretraining"] in OFFLINE


@pytest.mark.parametrize("method", ["cal_ql", "rlpd", "ibrl"])
def test_a_log_is_asked_for(cli, tmp_path, pretrained, method):
    policy = pretrained(PRESETS[method].get("pretraining", "bc"))
    outcome = cli("finetune", REACH, f"method={method}", f"policy={policy}", f"out={tmp_path / 'out'}")
    assert_refused(outcome, f"method={method} needs log=FOLDER", "collect")
    assert not (tmp_path / "out").exists()


def test_a_policy_is_asked_for(cli, tmp_path):
    assert_refused(cli("finetune", REACH, "method=wsrl", f"out={tmp_path / 'out'}"), "needs policy=FOLDER")


@pytest.mark.parametrize("method", ["porl", "wsrl"])
def test_methods_without_an_offline_phase_name_those_with_one(cli, tmp_path, log, method):
    outcome = cli("pretrain", REACH, f"method={method}", f"log={log}", f"out={tmp_path / 'out'}")
    assert_refused(outcome, f"method={method}")
    named = outcome.err.rpartition("accepts ")[2].strip().split(", ")
    assert sorted(named) == sorted([*CLONING, *OFFLINE])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["pretrain method=iql", "pretrain method=coil", "finetune method=rlpd"])
def test_a_log_of_another_task_is_refused(cli, tmp_path, log, verb):
    outcome = cli(*verb.split(), "env=arm_push", f"log={log}", f"out={tmp_path / 'out'}")
    assert_refused(outcome, "its env is arm_reach", "arm_push")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("method", "named"), [
    ("adaptive_bc", ["smallest and largest reward", "take td3_bc"]),
    ("jsrl", ["success", "take porl"]),
])  # fmt: skip
def test_a_method_that_goes_by_what_the_task_does_not_tell_is_refused(cli, tmp_path, pretrained, log, method, named):
    task, out = ["env=gymnasium", "env.id=Pendulum-v1"], tmp_path / "out"
    given = [f"policy={pretrained(PRESETS[method].get('pretraining', 'bc'))}", f"log={log}", f"method={method}"]
    assert_refused(cli("finetune", *task, *given, *SHORT, f"out={out}"), "gymnasium/Pendulum-v1", *named)
    assert not out.exists()


@pytest.mark.parametrize("change", ["radius.end=0", "radius.start=-0.1"])
def test_an_anchor_holds_at_some_distance(cli, tmp_path, policy, change):
    given = [REACH, f"policy={policy}", f"method.actor_loss.anchor.{change}", f"out={tmp_path / 'out'}"]
    assert_refused(cli("finetune", *given), "method.actor_loss.anchor.radius falls to", "must stay above 0")


def test_a_log_without_an_episode_is_refused(cli, tmp_path, log):
    with LogWriter.create(tmp_path / "empty", read_log(log).spec):
        pass
    given = [REACH, "method=rlpd", f"log={tmp_path / 'empty'}", f"out={tmp_path / 'out'}"]
    assert_refused(cli("finetune", *given), f"log {tmp_path / 'empty'}: holds no episode")
    assert not (tmp_path / "out").exists()


def test_pairs_of_critics_are_even(cli, tmp_path, pretrained, log):
    given = [REACH, "method=off2on", f"policy={pretrained('cql')}", f"log={log}", "method.critic.members=5"]
    assert_refused(cli("finetune", *given, *SHORT, f"out={tmp_path / 'out'}"), "pairs its critics", "5")


@pytest.mark.parametrize(("method", "change"), [
    ("cal_ql", "method.critic_loss.samples=0"),
    ("iql", "method.critic_loss.expectile=1.0"),
    ("opt", "method.replay.online_share=1.0"),
    ("ibrl", "method.behaviour.rule=best"),
    ("wsrl", "method.target.n_step=0"),
    ("wsrl", "method.target.discount=1"),
    ("porl_anchored", "method.actor_loss.anchor.radius.steps=0"),
    ("porl_anchored", "method.warm_up.fit.updates=0"),
])  # fmt: skip
def test_nonsense_is_told_before_anything_moves(cli, tmp_path, pretrained, log, method, change):
    given = command(method, pretrained, log, tmp_path / "out")
    part, _, name = change.partition("=")[0].rpartition(".")
    assert_refused(cli(*given, change), part, name)
    assert not (tmp_path / "out").exists()


def test_a_curriculum_with_an_impossible_std_is_told_in_one_line(cli, tmp_path, log):
    outcome = cli("pretrain", REACH, "method=coil", f"log={log}", "method.std=9.0", f"out={tmp_path / 'out'}")
    assert_refused(outcome, "std")


@pytest.mark.parametrize("method", ["wsrl", "rlpd"])
def test_demo_runs_or_refuses_before_it_collects(cli, tmp_path, method):
    out = tmp_path / "out"
    lengths = ["episodes=2", "steps=60", "eval_every=60", "eval_episodes=1", "method.warm_up.steps=20"]
    outcome = cli("demo", f"method={method}", *SMALL, *lengths, f"out={out}")
    assert outcome.code == 0 or not out.exists(), outcome.err
