"""A run goes on after a crash as if there had been none: nothing lost, nothing twice."""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

from porl_robot.control.checkpoints import newest_checkpoint
from porl_robot.errors import UserError
from porl_robot.replay.log import LogData, read_log
from porl_robot.replay.verify import verify_log

STEPS, EVERY = 200, 50
CURVE = list(range(0, STEPS + 1, EVERY))


def crashed(base, run_of, slider, method, step, within="acting", **given):
    """A whole run and its folder as it was before `step` of its training or evaluation env: what a crash leaves."""
    envs = {"acting": slider(), "measuring": slider()}
    given |= {"env": envs["acting"], "measured": envs["measuring"]}
    run = run_of(base / "whole", method, steps=STEPS, eval_every=EVERY, **given)

    def on_step(taken):
        if taken == step:
            run.log.flush()
            shutil.copytree(base / "whole", base / "cut")

    envs[within].on_step = on_step
    run.tuning.run()
    return run


def resumed(cut, run_of, method, steps=STEPS, **given):
    run = run_of(cut, method, steps=steps, eval_every=EVERY, resume=True, **given)
    run.result = run.tuning.run()
    return run


@dataclass
class Crash:
    """A run of `method` and the one that went on after it was cut at `step`; their logs."""

    method: str
    step: int
    whole: object
    resumed: object
    before: LogData
    after: LogData


CRASHES = {
    "in the first episode": ("porl", 3),
    "frozen, past a checkpoint": ("porl", 58),
    "unfrozen": ("porl", 97),
    "unfrozen, past a checkpoint": ("porl", 133),
    "frozen, with a critic in training": ("sac_naive", 37),
    "unfrozen without a fit": ("sac_scratch", 130),
}


@pytest.fixture(scope="module", params=CRASHES.values(), ids=CRASHES)
def crash(request, tmp_path_factory, run_of, slider):
    method, step = request.param
    base = tmp_path_factory.mktemp("crash")
    whole = crashed(base, run_of, slider, method, step)
    again = resumed(base / "cut", run_of, method)
    assert verify_log(base / "cut") == []
    return Crash(method, step, whole, again, read_log(base / "whole"), read_log(base / "cut"))


def test_a_resumed_run_is_as_long_as_an_uninterrupted_one(crash):
    run = crash.resumed
    assert run.tuning.stopped_because is None and run.result.episodes == 3
    assert run.state.env_steps == crash.after.rows == STEPS
    assert [point["env_steps"] for point in run.state.curve] == CURVE


def test_no_logged_step_is_lost(crash):
    for name in ("observation", "action", "action_requested", "policy_version", "reward"):
        before, after = getattr(crash.before, name), getattr(crash.after, name)
        assert before[: crash.step].tobytes() == after[: crash.step].tobytes()


def test_updates_are_as_many_as_without_a_crash(crash):
    learner, unfrozen = crash.resumed.learner, crash.resumed.state.unfreeze_step
    frozen = {"porl": 20, "sac_naive": 2 * (STEPS - 16 + 1), "sac_scratch": 0}[crash.method]
    assert learner.actor_updates == STEPS - unfrozen
    assert learner.critic_updates == frozen + 2 * learner.actor_updates


def test_an_unfrozen_actor_stays_unfrozen(crash):
    if crash.whole.state.unfreeze_step < crash.step:
        assert crash.resumed.state.unfreeze_step == crash.whole.state.unfreeze_step


def test_versions_of_the_policy_go_on_counting(crash):
    assert (np.diff(crash.after.policy_version) >= 0).all()


def test_the_episode_that_a_crash_cut_is_not_bootstrapped_from(crash):
    assert crash.step not in crash.before.episode_ends
    assert crash.step in crash.after.episode_ends and crash.after.truncated[crash.step - 1]
    assert np.isnan(crash.after.final_observation).any(1).sum() == 1
    assert len(crash.resumed.learner.buffer) == STEPS - 1


def test_a_run_goes_on_from_an_older_checkpoint_where_the_newest_is_damaged(tmp_path, run_of, slider):
    crashed(tmp_path, run_of, slider, "porl", 133)
    newest = max((tmp_path / "cut" / "checkpoints").iterdir())
    assert newest.name == "000000100"
    (newest / "learner.safetensors").write_bytes(b"")
    run = resumed(tmp_path / "cut", run_of, "porl")
    assert run.state.env_steps == read_log(tmp_path / "cut").rows == STEPS
    assert run.learner.actor_updates == STEPS - run.state.unfreeze_step
    assert [point["env_steps"] for point in run.state.curve] == [0, 50, 150, 200]


def test_a_repeated_fit_that_a_crash_lost_is_repeated(tmp_path, run_of, slider):
    """The first fit lacks a success and is in the checkpoint of step 150; the second one and the unfreezing are not."""
    evidence = "{successes: 2, failures: 0, rank_correlation: -1.0, enough_successes: 0}"
    given = {"seed": 3, "overrides": ["method.warm_up.steps=110", f"method.warm_up.evidence={evidence}"]}
    whole = crashed(tmp_path, run_of, slider, "porl_strict", 180, **given)
    assert whole.state.refits == 2 and 150 < whole.state.unfreeze_step < 180
    checkpoint = newest_checkpoint(tmp_path / "cut").run
    assert (checkpoint.env_steps, checkpoint.refits, checkpoint.unfreeze_step) == (150, 1, None)
    run = resumed(tmp_path / "cut", run_of, "porl_strict", **given)
    assert (run.state.refits, run.state.unfreeze_step) == (2, whole.state.unfreeze_step)
    assert run.learner.critic_updates == whole.learner.critic_updates


def test_what_comes_after_the_last_checkpoint_is_caught_up_with_bit_for_bit(tmp_path, run_of, slider):
    """The critic fit and the unfreezing among it."""
    whole = run_of(tmp_path, "porl", steps=STEPS, eval_every=EVERY, env=slider())
    whole.tuning.run()
    for checkpoint in (tmp_path / "checkpoints").iterdir():
        if int(checkpoint.name) > EVERY:
            shutil.rmtree(checkpoint)
    assert whole.state.unfreeze_step > newest_checkpoint(tmp_path).run.env_steps == EVERY
    run = resumed(tmp_path, run_of, "porl")
    assert run.learner.critic_updates == whole.learner.critic_updates
    assert run.learner.policy().hash == whole.learner.policy().hash


def test_a_crash_during_an_evaluation_repeats_it(tmp_path, run_of, slider):
    probed = slider()
    probe = run_of(tmp_path / "probe", steps=STEPS, eval_every=EVERY, measured=probed)
    at = []
    probed.on_step = lambda taken: at.append(probe.state.env_steps)
    probe.tuning.run()
    crashed(tmp_path, run_of, slider, "porl", at.index(3 * EVERY) + 2, within="measuring")
    assert read_log(tmp_path / "cut").rows <= 3 * EVERY
    run = resumed(tmp_path / "cut", run_of, "porl")
    assert [point["env_steps"] for point in run.state.curve] == CURVE


def test_a_crash_during_the_first_evaluation_is_told(tmp_path, run_of, slider):
    crashed(tmp_path, run_of, slider, "porl", 2, within="measuring")
    with pytest.raises(UserError, match="holds no checkpoint to resume from"):
        resumed(tmp_path / "cut", run_of, "porl")


def test_a_finished_run_is_extended(tmp_path, finished_run, run_of):
    first = finished_run(tmp_path, steps=100, eval_every=EVERY)
    run = resumed(tmp_path, run_of, "porl")
    assert [point["env_steps"] for point in run.state.curve] == CURVE
    assert run.state.curve[:3] == first.state.curve
    assert run.state.unfreeze_step == first.state.unfreeze_step
    assert run.learner.actor_updates == STEPS - run.state.unfreeze_step


def test_a_finished_run_stays_as_it_is(tmp_path, finished_run, run_of):
    first = finished_run(tmp_path, steps=STEPS, eval_every=EVERY)
    run = resumed(tmp_path, run_of, "porl")
    assert run.state.curve == first.state.curve and run.result == first.result
    assert run.learner.policy().hash == first.learner.policy().hash


def test_fewer_steps_than_were_taken_are_refused(tmp_path, finished_run, run_of):
    finished_run(tmp_path, steps=100)
    with pytest.raises(UserError, match=r"steps=60: .* has 100 steps already"):
        run_of(tmp_path, steps=60, resume=True)


KILLED = ["env=arm_reach", "method=sac_scratch", "steps=900", "eval_every=150", "eval_episodes=1", "final_episodes=1"]


@pytest.mark.slow
def test_a_killed_process_is_resumed(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "porl_robot", "finetune"]
    small = ["method.warm_up.steps=100", "method.explorer.uniform_steps=100"]
    process = subprocess.Popen([*command, *KILLED, *small, f"out={out}"])
    second = out / "checkpoints" / "000000300"
    while not second.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    rows = read_log(out).rows
    subprocess.run([*command, f"resume={out}"], check=True)
    log = read_log(out)
    assert log.rows == 900 > rows >= 250
    assert verify_log(out) == []
