"""A fine-tuning run with an operator beside it: what waits for the end of an episode, and how the run ends."""

import time

import numpy as np
import pytest

from porl_robot.control.checkpoints import newest_checkpoint
from porl_robot.control.operator import FINISHED_BY_OPERATOR, STOPPED_BY_OPERATOR, Operator
from porl_robot.control.session import Action, Session, State
from porl_robot.replay.log import read_log
from porl_robot.replay.verify import verify_log
from porl_robot.supervision import Fault, Halted


def armed():
    session = Session()
    session.act(Action.ARM)
    session.act(Action.START)
    return Operator(session, judges=True)


@pytest.fixture
def robot(slider):
    """The one robot: it acts and it is measured. Says it is in real time and does not wait."""
    made = slider()
    made.real_time, made.supervisor = True, armed()
    return made


@pytest.fixture
def run_on(tmp_path, run_of):
    def run(robot, steps=200, **given):
        made = run_of(tmp_path, env=robot, measured=robot, steps=steps, **given)
        made.result = made.tuning.run()
        return made

    return run


def when(run, robot, condition, keys):
    """Has `keys` pressed in the first period in which `condition` holds for the state of the run."""
    pending = list(keys)

    def on_step(taken):
        while pending and condition(run.state):
            robot.supervisor.press(pending.pop(0))

    robot.on_step = on_step


def test_one_robot_is_measured_between_its_episodes(robot, run_on, tmp_path):
    run = run_on(robot)
    assert run.tuning.stopped_because is None and run.result.episodes == 3
    ends = set(read_log(tmp_path).episode_ends)
    points = [point["env_steps"] for point in run.state.curve]
    assert len(points) == 5 and points[0] == 0 and points[-1] == 200
    assert set(points[1:]) <= ends
    assert all(0 <= point - due < robot.horizon for point, due in zip(points, range(0, 250, 50), strict=True))
    assert verify_log(tmp_path) == []


def test_the_robot_is_held_between_episodes(robot, run_on):
    run = run_on(robot)
    assert robot.held >= run.state.episodes


STOPS = {
    "at first": lambda state: True,
    "acting frozen": lambda state: state.env_steps == 30,
    "acting unfrozen": lambda state: state.env_steps == 130,
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_ends_the_run_with_a_checkpoint(robot, run_of, tmp_path, stop):
    run = run_of(tmp_path, env=robot, measured=robot)
    when(run, robot, STOPS[stop], " ")
    assert run.tuning.run() is None
    assert run.tuning.stopped_because == STOPPED_BY_OPERATOR and isinstance(run.tuning.interruption, Halted)
    log = read_log(tmp_path)
    assert log.rows == run.state.env_steps == newest_checkpoint(tmp_path).run.env_steps
    assert np.isfinite(log.final_observation).all() and verify_log(tmp_path) == []
    assert not any("fault" in note for note in run.reporter.notes)


def test_a_fault_is_told_and_the_run_goes_on_only_when_resumed(robot, run_of, tmp_path):
    run = run_of(tmp_path, env=robot, measured=robot)
    broken = Fault("overload", "let it cool")
    robot._robot_fault = lambda: broken if run.state.env_steps > 120 and robot._steps == 5 else None
    assert run.tuning.run() is None
    assert run.tuning.stopped_because == "overload; let it cool"
    assert any(note.endswith("ended by a fault: overload") for note in run.reporter.notes)
    assert robot.supervisor.session.state is State.FAULT
    robot._robot_fault = lambda: None
    robot.supervisor = armed()
    again = run_of(tmp_path, env=robot, measured=robot, resume=True)
    assert again.tuning.run().episodes == 3
    assert again.state.env_steps == read_log(tmp_path).rows == 200
    assert 0 < again.learner.actor_updates <= 200 - again.state.unfreeze_step


def test_the_start_is_measured_once_however_often_a_run_is_taken_up(robot, run_of, tmp_path, policy_of):
    given = policy_of()
    run = run_of(tmp_path, env=robot, measured=robot)
    when(run, robot, lambda state: state.env_steps == 130, " ")
    run.tuning.run(given)
    mode, sampled = run.state.start
    assert mode.return_mean == run.state.curve[0]["return_mean"] and (mode.episodes, sampled.episodes) == (2, 2)
    robot.supervisor, robot.taken = armed(), 0
    again = run_of(tmp_path, env=robot, measured=robot, resume=True)
    trained = []
    robot.on_step = lambda taken: trained.append((taken, again.state.env_steps))
    again.tuning.run(given)
    assert again.state.start == newest_checkpoint(tmp_path).run.start == (mode, sampled)
    assert trained[:2] == [(0, run.state.env_steps), (1, run.state.env_steps + 1)]


def test_updates_that_a_stop_left_undone_are_made_up_for(robot, run_of, tmp_path, policy_of):
    run = run_of(tmp_path, env=robot, measured=robot, eval_every=200)
    block = run.learner.block

    def slow(rows, step):
        time.sleep(0.02)
        return block(rows, step)

    run.learner.block = slow
    when(run, robot, lambda state: state.env_steps == 130, " ")
    run.tuning.run()
    stopped, owed = run.state.env_steps, run.state.owed
    assert owed > 0 and owed + run.learner.actor_updates == stopped - run.state.unfreeze_step

    robot.supervisor = armed()
    again = run_of(tmp_path, env=robot, measured=robot, eval_every=200, resume=True)
    when(again, robot, lambda state: True, " ")
    again.tuning.run(policy_of())  # stopped while it measures, before it has caught up
    assert (again.state.env_steps, again.state.owed) == (stopped, owed)

    robot.supervisor = armed()
    last = run_of(tmp_path, env=robot, measured=robot, eval_every=200, resume=True)
    assert last.tuning.run().episodes == 3
    assert (last.state.owed, last.learner.actor_updates) == (0, 200 - run.state.unfreeze_step)


@pytest.mark.parametrize("step", [130, 200])
def test_finishing_waits_for_the_episode_and_leaves_the_rest_undone(robot, run_of, tmp_path, step):
    run = run_of(tmp_path, env=robot, measured=robot)
    when(run, robot, lambda state: state.env_steps == step, "q")
    assert run.tuning.run() is None
    assert run.tuning.stopped_because == FINISHED_BY_OPERATOR
    log = read_log(tmp_path)
    assert log.rows == run.state.env_steps >= step and log.rows <= step + robot.horizon
    assert log.terminated[-1] or log.frame_index[-1] == robot.horizon - 1 or log.rows == 200


def test_an_evaluation_that_the_operator_cuts_is_no_point_of_the_curve(robot, run_of, tmp_path):
    run = run_of(tmp_path, env=robot, measured=robot)
    when(run, robot, lambda state: True, "q")
    assert run.tuning.run() is None and run.state.curve == []
    assert run.tuning.stopped_because == FINISHED_BY_OPERATOR


def test_marked_episodes_count_and_discarded_ones_do_not(robot, run_of, tmp_path):
    run = run_of(tmp_path, env=robot, measured=robot, steps=100)
    robot._reachable = False
    # One key per episode: each is pressed once the last one has ended an episode.
    pressed = []

    def on_step(taken):
        state = run.state
        if state.env_steps and state.episodes == len(pressed) < 3:
            pressed.append("sfr"[len(pressed)])
            robot.supervisor.press(pressed[-1])

    robot.on_step = on_step
    run.tuning.run()
    log = read_log(tmp_path)
    assert pressed == ["s", "f", "r"]
    assert log.success[log.episode_ends - 1].tolist()[:3] == [1, 0, -1]
    assert log.discarded.tolist() == [False, False, True, *[False] * (log.episodes - 3)]
    assert run.state.episodes == log.episodes and run.state.successes == 1
    assert run.state.successes + run.state.failures == log.episodes - 1 == len(run.state.outcomes)
    again = run_of(tmp_path, steps=100, resume=True)
    assert (again.state.successes, again.state.outcomes) == (1, run.state.outcomes)
    assert len(again.learner.buffer) == 100  # what a discarded episode showed of the world is true all the same


@pytest.mark.parametrize("frame", [2, 19])
def test_a_marked_failure_is_worth_the_least_there_is_whenever_it_is_marked(robot, run_of, tmp_path, frame):
    """With the last step of the episode too, where what the rest could have cost is the cost of one step."""
    run = run_of(tmp_path, env=robot, measured=robot, steps=100)
    robot._reachable = False
    when(run, robot, lambda state: state.env_steps == frame, "f")
    run.tuning.run()
    discount = run.learner.method.target.discount
    assert sum(read_log(tmp_path).reward[: frame + 1]) == -robot.horizon
    for learner in (run.learner, run_of(tmp_path, steps=100, resume=True).learner):
        batch = learner.buffer.all(frame + 1)
        assert batch.discount[frame] == 0.0
        assert batch.reward[frame].item() == pytest.approx(-1.0 / (1.0 - discount))
        np.testing.assert_allclose(learner.buffer.returns(discount)[: frame + 1], -1.0 / (1.0 - discount), rtol=1e-5)
