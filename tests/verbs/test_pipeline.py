"""From demonstrations to a fine-tuned policy, as small as it gets; and what each verb leaves behind."""

import json
import shlex
import shutil

import numpy as np
import pytest
import yaml

from porl_robot.analysis.summary import SCHEMA
from porl_robot.replay.log import read_log
from porl_robot.replay.record import Phase, Source
from porl_robot.replay.verify import verify_log
from porl_robot.verbs import multirun
from porl_robot.verbs.compose import load

REACH = "env=arm_reach"


def summary(out):
    return json.loads((out / "summary.json").read_text())


def assert_contract(out, verb):
    assert list(summary(out)) == [key.name for key in SCHEMA[verb]]
    return summary(out)


def test_collect_records_every_episode(log):
    said = assert_contract(log, "collect")
    data = read_log(log)
    assert (said["env"], said["skill"], said["episodes"]) == ("arm_reach", "degraded", 6)
    assert data.episodes == 6 and data.rows == said["steps"]
    assert set(data.phase) == {Phase.COLLECT} and set(data.source) == {Source.GUIDE}
    assert said["success"] == data.success[data.episode_ends - 1].mean()
    assert said["return_mean"] == pytest.approx(data.reward.sum() / 6)


def test_pretrain_says_what_it_kept(policy, log):
    said = assert_contract(policy, "pretrain")
    assert (said["method"], said["log"], said["steps"], said["kept_step"]) == ("bc", str(log), 50, 50)
    assert json.loads((policy / "policy.json").read_text())["hash"] == said["policy_hash"]


def test_evaluate_is_repeatable(cli, tmp_path, policy):
    for name in ("one", "other"):
        assert cli("evaluate", REACH, f"policy={policy}", "episodes=3", f"out={tmp_path / name}").code == 0
    one, other = (assert_contract(tmp_path / name, "evaluate") for name in ("one", "other"))
    assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert one["episodes"] == 3


def test_finetune_keeps_the_contract(tuned, policy):
    said = assert_contract(tuned, "finetune")
    assert (said["method"], said["env"], said["env_steps"]) == ("porl", "arm_reach", 400)
    assert [point["env_steps"] for point in said["curve"]] == [0, 200, 400]
    assert said["curve"][0]["success"] == said["bc_success"] == summary(policy)["success"]
    assert said["stopped_because"] is None and said["initialised"] == ["critics"]
    rows = [json.loads(line) for line in (tuned / "metrics.jsonl").read_text().splitlines()]
    measured = [(row["env_steps"], row["evaluation/success"]) for row in rows if "evaluation/success" in row]
    assert measured == [(point["env_steps"], point["success"]) for point in said["curve"]]
    assert said["final_success_low"] <= said["final_success"] <= said["final_success_high"]


def test_updates_follow_the_ratio_exactly(tuned):
    said = summary(tuned)
    online = 400 - said["unfreeze_step"]
    assert 150 <= said["unfreeze_step"] < 200
    assert (said["actor_updates"], said["critic_updates"]) == (online, 40 + 2 * online)
    assert said["updates_per_step"] == 2.0


def test_the_log_holds_exactly_the_training_steps(tuned):
    log, unfrozen = read_log(tuned), summary(tuned)["unfreeze_step"]
    assert log.rows == 400 and verify_log(tuned) == []
    assert np.flatnonzero(log.phase == Phase.ONLINE)[0] == unfrozen
    assert set(log.source) == {Source.POLICY}


def test_everything_to_look_at_is_there(tuned):
    assert (tuned / "report.html").stat().st_size > 10_000
    assert (tuned / "report.png").read_bytes().startswith(b"\x89PNG")
    assert list((tuned / "events").glob("events.out.tfevents.*"))
    assert [row["env_steps"] for row in map(json.loads, (tuned / "metrics.jsonl").read_text().splitlines())]
    assert sorted(p.name for p in (tuned / "checkpoints").iterdir())[-1] == "000000400"


def test_the_config_beside_it_is_resolved_with_absolute_inputs(tuned, policy):
    text = (tuned / "config.yaml").read_text()
    config = yaml.safe_load(text)
    assert config["policy"] == str(policy.absolute())
    assert config["steps"] == 400 and config["resume"] is None
    assert "${" not in text and "???" not in text


def test_a_tuned_policy_can_be_evaluated(cli, tmp_path, tuned):
    assert cli("evaluate", REACH, f"policy={tuned}", "episodes=2", f"out={tmp_path / 'out'}").code == 0


def test_sac_scratch_notes_that_it_ignores_a_policy(cli, tmp_path):
    sizes = ["steps=60", "eval_every=60", "eval_episodes=1", "final_episodes=1", "method.warm_up.steps=50"]
    out = tmp_path / "out"
    outcome = cli("finetune", REACH, "method=sac_scratch", "policy=/none", *sizes, f"out={out}")
    assert outcome.code == 0, outcome.err
    assert "policy=/none is not used by sac_scratch" in outcome.out
    said = assert_contract(out, "finetune")
    assert said["bc_success"] is None and said["initialised"] == ["actor", "critics"]
    assert said["unfreeze_step"] == 50 and said["actor_updates"] == 10


def test_a_slow_arm_is_changed_by_its_filters(cli, tmp_path):
    out = tmp_path / "out"
    assert cli("collect", REACH, "episodes=1", "safety.speed=0.2", f"out={out}").code == 0
    log = read_log(out)
    assert summary(out)["interventions"]["rate"] == (log.filters != 0).sum() > 0
    assert (log.action != log.action_requested).any()


def test_output_is_plain_lines(cli, tmp_path, policy):
    outcome = cli("evaluate", REACH, f"policy={policy}", "episodes=1", f"out={tmp_path / ('long' * 30)}")
    assert outcome.err == "" and outcome.out.count("\n") == 1
    assert "\x1b" not in outcome.out and "\r" not in outcome.out


def test_log_info_tells_rows_and_task(cli, tuned):
    outcome = cli("log", "info", tuned)
    shown = dict(line.split(maxsplit=1) for line in outcome.out.splitlines())
    assert outcome.code == 0
    assert (shown["rows"], shown["folded_rows"], shown["unfinished_rows"]) == ("400", "400", "0")
    assert "arm_reach" in shown["spec"]


def test_log_verify_finds_nothing_wrong(cli, tuned):
    outcome = cli("log", "verify", tuned)
    assert (outcome.code, outcome.out) == (0, f"{tuned}: no problems\n")


def test_log_repair_mends_what_verify_finds(cli, tmp_path, log):
    out = tmp_path / "log"
    shutil.copytree(log, out)
    (out / "log.zarr" / "data" / "action" / "0.0.abc.partial").write_text("cut")
    outcome = cli("log", "verify", out)
    assert outcome.code == 1 and outcome.out.endswith(": 1 problem\n")
    assert cli("log", "repair", out).out.endswith(": repaired\n")
    assert cli("log", "verify", out).code == 0
    assert cli("log", "repair", out).out.endswith(": nothing to repair\n")


@pytest.mark.parametrize("what", ["info", "verify", "repair"])
def test_log_names_a_folder_without_one(cli, tmp_path, what):
    outcome = cli("log", what, tmp_path)
    assert outcome.code == 1 and outcome.err.startswith(f"porl-robot log: {tmp_path}: holds no log.zarr; expected")
    assert outcome.err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_a_sweep_writes_a_folder_per_job(cli, tmp_path, policy):
    out = tmp_path / "out"
    outcome = cli("evaluate", "-m", REACH, f"policy={policy}", "seed=1,2", "episodes=2", f"out={out}")
    assert outcome.code == 0 and outcome.err == ""
    assert sorted(p.name for p in out.iterdir()) == ["0", "1"]
    assert [assert_contract(out / str(job), "evaluate")["seed"] for job in (0, 1)] == [1, 2]
    assert [line for line in outcome.out.splitlines() if line.startswith("---")] == [
        f"--- job {job} (of 2): env=arm_reach policy={policy} seed={job + 1} episodes=2 out={out}" for job in (0, 1)
    ]


def test_a_sweep_goes_on_after_a_failure_and_says_so(cli, tmp_path, policy):
    out = tmp_path / "out"
    outcome = cli("evaluate", "-m", "env=arm_push,arm_reach", f"policy={policy}", "episodes=1", f"out={out}")
    assert outcome.code == 1
    assert outcome.err.startswith("porl-robot evaluate: job 0: policy ") and outcome.err.count("\n") == 1
    assert [p.name for p in out.iterdir()] == ["1"]


def test_a_sweep_combines_values(cli, tmp_path, policy):
    out = tmp_path / "out"
    sweep = ["seed=range(0,2)", "sampled=true,false"]
    assert cli("evaluate", "-m", REACH, f"policy={policy}", *sweep, "episodes=1", f"out={out}").code == 0
    configs = [yaml.safe_load((out / str(job) / "config.yaml").read_text()) for job in range(4)]
    assert [(c["seed"], c["sampled"]) for c in configs] == [(0, True), (0, False), (1, True), (1, False)]


def test_a_sweep_that_is_interrupted_leaves_the_commands_of_the_rest(tmp_path, capsys, policy):
    out, run_jobs = tmp_path / "a sweep", []

    def job(config):
        run_jobs.append(config.seed)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        multirun.run("evaluate", job, [REACH, f"policy={policy}", "seed=1,2,3", f'out="{out}"'])
    rest = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("not begun: ")]
    assert run_jobs == [1] and [line[:4] for line in rest] == [["not", "begun:", "porl-robot", "evaluate"]] * 2
    loaded = [load("evaluate", line[4:]) for line in rest]
    assert [(config.seed, config.out) for config in loaded] == [(2, str(out / "1")), (3, str(out / "2"))]


@pytest.fixture
def copied(tuned, tmp_path):
    """The fine-tuned run in another place."""
    shutil.copytree(tuned, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_resumed_with_more_steps(cli, tuned, copied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cli("finetune", "resume=run", "steps=500")
    assert outcome.code == 0, outcome.err
    before, after = summary(tuned), assert_contract(copied, "finetune")
    assert after["env_steps"] == read_log(copied).rows == 500
    assert after["curve"][:3] == before["curve"]
    assert [point["env_steps"] for point in after["curve"]] == [0, 200, 400, 500]
    assert after["bc_success_sampled"] == before["bc_success_sampled"]
    assert (after["unfreeze_step"], after["actor_updates"]) == (before["unfreeze_step"], before["actor_updates"] + 100)
    assert verify_log(copied) == []
    config = yaml.safe_load((copied / "config.yaml").read_text())
    assert (config["steps"], config["out"]) == (500, "run")


def test_a_finished_run_resumed_is_the_same(cli, tuned, copied):
    assert cli("finetune", f"resume={copied}").code == 0
    times = {"wall_s": 0, "cpu_s": 0, "cpu_s_eval": 0}
    assert summary(copied) | times == summary(tuned) | times
    assert (copied / "policy.safetensors").read_bytes() == (tuned / "policy.safetensors").read_bytes()


def test_a_policy_given_relatively_is_found_again(cli, tmp_path, policy, tiny, monkeypatch):
    monkeypatch.chdir(policy.parent)
    run = tmp_path / "run"
    sizes = ["steps=20", "eval_every=20", "eval_episodes=1", "final_episodes=1"]
    assert cli("finetune", REACH, f"policy={policy.name}", *sizes, f"out={run}").code == 0
    monkeypatch.chdir(tmp_path)
    assert cli("finetune", "resume=run", "steps=40").code == 0
    assert summary(run)["env_steps"] == 40


@pytest.mark.parametrize("step", ["the first evaluation", 100])
def test_an_interrupted_run_leaves_a_summary(cli, tmp_path, policy, tiny, monkeypatch, step):
    import sim.arm_env

    observe, calls = sim.arm_env.ArmEnv._observe, []
    # Sampled and first evaluation take 6 episodes; at most 51 observations each.
    at = 4 * 51 if step == "the first evaluation" else 6 * 51 + step

    def interrupted(env):
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return observe(env)

    monkeypatch.setattr(sim.arm_env.ArmEnv, "_observe", interrupted)
    out = tmp_path / "out"
    outcome = cli("finetune", REACH, f"policy={policy}", *tiny, f"out={out}")
    assert outcome.code == 1 and outcome.err == "porl-robot finetune: interrupted\n"
    said = assert_contract(out, "finetune")
    assert said["stopped_because"] == "stopped by the operator" and said["final_success"] is None
    assert said["env_steps"] == read_log(out).rows
    assert verify_log(out) == [] and (out / "report.html").is_file()
    assert f"stopped at step {said['env_steps']}: stopped by the operator" in outcome.out


@pytest.mark.slow
def test_demo_hands_its_settings_on(cli, tmp_path):
    out = tmp_path / "with space"
    sizes = ["episodes=8", "steps=300", "eval_every=150", "eval_episodes=2"]
    nested = ["method.warm_up.steps=100", "method.warm_up.fit.updates=20", "method.warm_up.evidence=null"]
    outcome = cli("demo", *sizes, *nested, "learner.members=4", "safety.speed=0.9", "seed=3", f"out={out}")
    assert outcome.code == 0, outcome.err
    said = assert_contract(out, "finetune")
    assert (said["seed"], said["env_steps"], said["critic_updates"]) == (3, 300, 20 + 2 * said["actor_updates"])
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert (config["learner"]["members"], config["safety"]["speed"]) == (4, 0.9)
    assert summary(out / "demonstrations")["episodes"] == 8
    assert (out / "cloned" / "policy.json").is_file()
