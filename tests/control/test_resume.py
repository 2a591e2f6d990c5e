"""A run goes on after a crash as if there had been none: nothing lost, nothing twice."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.replay.log import read_log, verify_log

STEPS, EVERY = 200, 50
CURVE = list(range(0, STEPS + 1, EVERY))


def copied_at(source, target, run, env, step):
    """Copies the run's folder before `step` of `env`, with every step so far on the disk: a crash's remains."""

    def on_step(steps):
        if steps == step:
            run[0].log.flush()
            shutil.copytree(source, target)

    env.on_step = on_step


def crashed(tmp_path, run_of, slider, method, step, within="acting"):
    """The folder of a run of `method` that was cut at `step` of the training or of the evaluation env."""
    env, measured, run = slider(), slider(), []
    run.append(run_of(tmp_path / "whole", method, steps=STEPS, eval_every=EVERY, env=env, measured=measured))
    copied_at(tmp_path / "whole", tmp_path / "cut", run, env if within == "acting" else measured, step)
    run[0].tuning.run()
    return run[0], tmp_path / "cut"


def resumed(cut, run_of, method, steps=STEPS):
    run = run_of(cut, method, steps=steps, eval_every=EVERY, resume=True)
    run.result = run.tuning.run()
    return run


CRASHES = [
    ("porl", 3),  # in the first episode
    ("porl", 58),  # frozen, past a checkpoint
    ("porl", 97),  # training, before a checkpoint has seen it
    ("porl", 133),
    ("sac_naive", 40),
    ("sac_scratch", 130),
]


@pytest.mark.parametrize(("method", "step"), CRASHES)
def test_a_resumed_run_is_as_long_as_an_uninterrupted_one(tmp_path, run_of, slider, method, step):
    _, cut = crashed(tmp_path, run_of, slider, method, step)
    run = resumed(cut, run_of, method)
    assert run.tuning.stopped_because is None and run.result.episodes == 3
    assert run.state.env_steps == read_log(cut).rows == STEPS
    assert [point["env_steps"] for point in run.state.curve] == CURVE
    assert verify_log(cut) == []


@pytest.mark.parametrize(("method", "step"), CRASHES)
def test_no_logged_step_is_lost(tmp_path, run_of, slider, method, step):
    whole, cut = crashed(tmp_path, run_of, slider, method, step)
    resumed(cut, run_of, method)
    before, after = read_log(tmp_path / "whole"), read_log(cut)
    assert before.rows == whole.state.env_steps
    for name in ("observation", "action", "action_requested", "policy_version", "reward"):
        assert getattr(before, name)[:step].tobytes() == getattr(after, name)[:step].tobytes()


@pytest.mark.parametrize(("method", "step"), [("porl", 97), ("porl", 133), ("sac_naive", 40), ("sac_scratch", 130)])
def test_updates_are_as_many_as_without_a_crash(tmp_path, run_of, slider, method, step):
    _, cut = crashed(tmp_path, run_of, slider, method, step)
    run = resumed(cut, run_of, method)
    frozen = {"porl": 20, "sac_naive": 2 * (STEPS - 16 + 1), "sac_scratch": 0}[method]
    online = 0 if method == "sac_naive" else STEPS - run.state.unfreeze_step
    assert run.learner.actor_updates == online
    assert run.learner.critic_updates == frozen + 2 * online


def test_the_actor_stays_unfrozen(tmp_path, run_of, slider):
    whole, cut = crashed(tmp_path, run_of, slider, "porl", 97)
    assert whole.state.unfreeze_step < 97
    run = resumed(cut, run_of, "porl")
    assert run.state.unfreeze_step == whole.state.unfreeze_step


def test_versions_of_the_policy_go_on_counting(tmp_path, run_of, slider):
    _, cut = crashed(tmp_path, run_of, slider, "porl", 133)
    resumed(cut, run_of, "porl")
    versions = read_log(cut).policy_version
    assert (np.diff(versions) >= 0).all()


def test_a_crash_during_an_evaluation_repeats_it(tmp_path, run_of, slider):
    steps = []
    probe = slider(lambda taken: steps.append(probe_run[0].state.env_steps))
    probe_run = [run_of(tmp_path / "probe", steps=STEPS, eval_every=EVERY, measured=probe)]
    probe_run[0].tuning.run()
    during = next(taken for taken, at in enumerate(steps) if at == 3 * EVERY)
    _, cut = crashed(tmp_path, run_of, slider, "porl", during + 2, within="measuring")
    run = resumed(cut, run_of, "porl")
    assert [point["env_steps"] for point in run.state.curve] == CURVE


def test_a_crash_during_the_first_evaluation_is_told(tmp_path, run_of, slider):
    _, cut = crashed(tmp_path, run_of, slider, "porl", 2, within="measuring")
    with pytest.raises(UserError, match="holds no checkpoint to resume from"):
        resumed(cut, run_of, "porl")


def test_the_episode_that_a_crash_cut_is_not_bootstrapped_from(tmp_path, run_of, slider):
    whole, cut = crashed(tmp_path, run_of, slider, "porl", 133)
    assert 133 not in read_log(tmp_path / "whole").episode_ends
    run = resumed(cut, run_of, "porl")
    log = read_log(cut)
    assert 133 in log.episode_ends and log.truncated[132]
    assert np.isnan(log.final_observation).any(1).sum() == 1
    assert len(run.learner.buffer) == STEPS - 1
    assert whole.learner.buffer.capacity == STEPS


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
