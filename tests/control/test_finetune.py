"""A fine-tuning run: what is frozen, what is counted, what is repeatable, and how it ends."""

import dataclasses

import numpy as np
import pytest
import torch

from porl_robot.control.checkpoints import newest_checkpoint
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.errors import UserError
from porl_robot.learner.thread import LearnerError
from porl_robot.replay.log import read_log
from porl_robot.replay.record import Phase
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogError

UPDATES_PER_STEP = 2


@pytest.fixture(scope="module")
def porl(tmp_path_factory, finished_run):
    """A whole run, and where it is."""
    out = tmp_path_factory.mktemp("porl")
    return finished_run(out), out


@pytest.fixture(scope="module")
def frozen(tmp_path_factory, finished_run, slider):
    """A run whose policy never succeeds, so that it stays frozen."""
    out = tmp_path_factory.mktemp("frozen")
    run = finished_run(out, "porl_strict", env=slider(reachable=False))
    return run, out


def test_a_run_measures_at_its_start_at_every_interval_and_at_its_end(porl):
    run, _ = porl
    assert [point["env_steps"] for point in run.state.curve] == [0, 50, 100, 150, 200]
    assert {point["episodes"] for point in run.state.curve} == {2}
    assert run.result.episodes == 3


def test_an_unchanged_policy_scores_exactly_the_same(porl):
    start, during = porl[0].state.curve[:2]
    assert porl[0].state.unfreeze_step > during["env_steps"]
    assert {**during, "env_steps": 0} == start


def test_updates_follow_the_ratio_exactly(porl):
    run, _ = porl
    online = run.state.env_steps - run.state.unfreeze_step
    assert run.learner.actor_updates == online
    assert run.learner.critic_updates == 20 + UPDATES_PER_STEP * online
    assert run.tuning.gauges.updates_per_step == UPDATES_PER_STEP


def test_the_actor_is_unfrozen_at_the_end_of_an_episode(porl):
    run, out = porl
    assert run.state.unfreeze_step >= 60
    assert run.state.unfreeze_step in read_log(out).episode_ends
    assert run.reporter.notes.count(f"actor unfrozen at step {run.state.unfreeze_step}") == 1


def test_the_log_holds_every_step_and_says_who_acted(porl):
    run, out = porl
    log, unfrozen = read_log(out), run.state.unfreeze_step
    assert log.rows == run.state.env_steps == 200
    assert verify_log(out) == []
    assert set(log.phase[:unfrozen]) == {Phase.PRE_SAMPLE} and set(log.phase[unfrozen:]) == {Phase.ONLINE}
    assert not log.policy_version[: unfrozen + 1].any()
    # One step of lag: the policy in use has seen all steps but the last.
    assert log.policy_version[unfrozen:].tolist() == [0, *range(200 - unfrozen - 1)]


def test_the_last_step_is_truncated_with_its_true_final_observation(porl):
    log = read_log(porl[1])
    assert log.truncated[-1] or log.terminated[-1]
    assert np.isfinite(log.final_observation).all()


def test_the_robot_is_held_and_the_log_closed_at_the_end(porl):
    run, _ = porl
    assert run.env.held == 1
    with pytest.raises(LogError):
        run.log.flush()


def test_a_frozen_pre_sample_changes_the_critic_only(frozen):
    run, out = frozen
    networks, moments = run.learner.state.networks, run.learner.state.moments
    assert run.learner.critic_updates > 0 and run.learner.actor_updates == 0
    assert all(torch.equal(tensor, networks["reference"][name]) for name, tensor in networks["actor"].items())
    assert not any(moment.any() for moment in (*moments["actor"].first, *moments["temperature"].first))
    log_alpha = torch.tensor(run.learner.method.temperature.initial).log()
    assert torch.equal(networks["temperature"]["log_alpha"], log_alpha)
    assert any(moment.any() for moment in moments["critics"].first)
    assert not read_log(out).policy_version.any()


def test_a_gate_never_met_extends_the_pre_sample_once_and_stops(frozen):
    run, out = frozen
    assert "succeeded in 0 episodes" in run.tuning.stopped_because
    assert run.result is None and run.state.unfreeze_step is None
    assert run.state.env_steps == read_log(out).rows == 120
    assert verify_log(out) == []


def test_a_run_that_ends_within_its_pre_sample_is_whole(tmp_path, finished_run):
    run = finished_run(tmp_path, steps=30)
    assert run.tuning.stopped_because is None and run.result is not None
    assert run.state.unfreeze_step is None and run.learner.critic_updates == 0
    assert [point["env_steps"] for point in run.state.curve] == [0, 30]


def test_sac_naive_unfreezes_at_step_200(tmp_path, finished_run):
    run = finished_run(tmp_path, "sac_naive", steps=220, eval_every=110)
    assert run.state.unfreeze_step == 200
    assert run.learner.actor_updates == 20
    before = 200 - run.learner.config.batch_size + 1
    assert run.learner.critic_updates == UPDATES_PER_STEP * (before + 20)
    phase = read_log(tmp_path).phase
    assert (phase[:200] == Phase.PRE_SAMPLE).all() and (phase[200:] == Phase.ONLINE).all()


@pytest.mark.parametrize("method", ["porl", "sac_naive", "sac_scratch"])
def test_a_run_is_repeatable_to_the_bit(tmp_path, finished_run, method):
    runs = [finished_run(tmp_path / name, method, steps=120) for name in ("one", "other")]
    logs = [read_log(tmp_path / name) for name in ("one", "other")]
    for name in ("observation", "action", "action_requested", "log_prob", "policy_version", "episode_ends"):
        assert getattr(logs[0], name).tobytes() == getattr(logs[1], name).tobytes()
    assert runs[0].learner.policy().hash == runs[1].learner.policy().hash
    assert runs[0].state.curve == runs[1].state.curve and runs[0].result == runs[1].result


def test_another_seed_is_another_run(tmp_path, finished_run):
    one, other = (finished_run(tmp_path / str(seed), steps=100, seed=seed) for seed in (0, 1))
    assert one.learner.policy().hash != other.learner.policy().hash
    assert read_log(tmp_path / "0").observation.tobytes() != read_log(tmp_path / "1").observation.tobytes()


def dying(run, error, after):
    """Lets the learner raise `error` at block `after`."""
    block, blocks = run.learner.block, []

    def mortal(rows, step):
        blocks.append(step)
        if len(blocks) > after:
            raise error
        return block(rows, step)

    run.learner.block = mortal


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [(ZeroDivisionError("1/0"), LearnerError, "1/0"), (UserError("diverged"), UserError, "diverged")],
)
def test_a_dead_learner_stops_the_run_safely(tmp_path, run_of, error, raised, says):
    run = run_of(tmp_path)
    dying(run, error, after=25)
    with pytest.raises(raised, match=says):
        run.tuning.run()
    assert run.env.held == 1
    log = read_log(tmp_path)
    assert log.rows == run.state.env_steps
    assert 26 <= log.rows - run.state.unfreeze_step <= 27  # the step may or may not have been beside the dying block
    assert verify_log(tmp_path) == []
    with pytest.raises(LogError):
        run.log.flush()


def interrupted_at(slider, step, error=KeyboardInterrupt):
    def on_step(steps):
        if steps == step:
            raise error

    return slider(on_step)


@pytest.mark.parametrize("step", [7, 60, 133])
def test_an_interrupt_ends_the_run_in_order(tmp_path, run_of, slider, step):
    run = run_of(tmp_path, env=interrupted_at(slider, step))
    assert run.tuning.run() is None
    assert run.tuning.stopped_because == "stopped by the operator"
    assert run.env.held == 1
    assert run.state.env_steps == read_log(tmp_path).rows == step
    assert verify_log(tmp_path) == []
    assert newest_checkpoint(tmp_path).run.env_steps == step


def test_an_interrupt_before_the_first_step_leaves_an_empty_log(tmp_path, run_of, slider):
    run = run_of(tmp_path, measured=interrupted_at(slider, 3))
    assert run.tuning.run() is None
    assert run.state.curve == [] and read_log(tmp_path).rows == 0


@pytest.mark.parametrize("within", ["acting", "measuring"])
def test_a_broken_robot_is_held_and_its_log_kept(tmp_path, run_of, slider, within):
    broken = interrupted_at(slider, 25, OSError("bus"))
    run = run_of(tmp_path, **{"acting": {"env": broken}, "measuring": {"measured": broken}}[within])
    with pytest.raises(OSError, match="bus"):
        run.tuning.run()
    assert run.env.held == 1 and (within == "acting" or broken.held == 1)
    assert read_log(tmp_path).rows == run.state.env_steps
    with pytest.raises(LogError):
        run.log.flush()


def test_a_log_that_cannot_be_written_stops_the_run(tmp_path, run_of, monkeypatch):
    run = run_of(tmp_path)

    def full(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.log, "_journal", full)
    with pytest.raises(LogError, match="No space left"):
        run.tuning.run()
    assert run.env.held == 1


def test_a_faulty_episode_is_told_and_counted(tmp_path, run_of):
    run = run_of(tmp_path, steps=40)
    act = run.learner.method.explorer.act

    class Broken:
        def act(self, agent, reference, observation, moment, rng):
            proposed = act(agent, reference, observation, moment, rng)
            broken = dataclasses.replace(proposed, action=np.full_like(proposed.action, np.nan))
            return broken if moment.step == 5 else proposed

    object.__setattr__(run.learner.method, "explorer", Broken())
    run.tuning.run()
    log = read_log(tmp_path)
    assert log.truncated[5] and not log.action[5].any() and np.isnan(log.action_requested[5]).all()
    assert any("ended by a fault: finite" in note for note in run.reporter.notes)
    assert run.state.interventions == {"finite": 1}


def test_the_operator_is_told_once_when_the_critic_may_be_exploited(tmp_path, finished_run):
    fast = finished_run(tmp_path / "fast", steps=520, overrides=["method.actor.learning_rate=0.05"])
    assert sum("exploited" in note for note in fast.reporter.notes) == 1
    calm = finished_run(tmp_path / "calm", steps=520, overrides=["method.actor.learning_rate=1e-6"])
    assert not any("exploited" in note for note in calm.reporter.notes)


def test_the_operator_is_told_once_when_the_policy_is_worse_than_it_began(tmp_path, finished_run):
    run = finished_run(tmp_path)
    notes, gauges = run.reporter.notes, run.tuning.gauges
    for start in (None, (EvaluationResult(50, None, -20.0),) * 2):
        run.state.start = start
        gauges.measured(EvaluationResult(50, None, -50.0))
    run.state.start = (EvaluationResult(50, 30, -20.0),) * 2
    for successes, told in ((21, 0), (11, 1), (5, 1)):
        gauges.measured(EvaluationResult(50, successes, -30.0))
        assert sum("fell from 0.60 to 0.22" in note for note in notes) == told
