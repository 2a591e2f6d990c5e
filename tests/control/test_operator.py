"""What keys do to the episode under way, and what the operator reads, on a slider without a clock."""

import numpy as np
import pytest

from porl_robot.control.operator import FINISHED_BY_OPERATOR, STOPPED_BY_OPERATOR, Operator
from porl_robot.control.rollout import Choice, counted_episodes, episode
from porl_robot.control.session import Action, Session, State
from porl_robot.env import step_info
from porl_robot.replay.record import Source
from porl_robot.supervision import Fault, Halted

STAY = np.zeros(1)


class Keys(Operator):
    """An operator who presses `script[n]` during the n-th sleep of a pause."""

    def __init__(self, session, judges=True):
        super().__init__(session, judges)
        self.slept = 0
        self.script = {}

    def sleep(self, seconds):
        self.slept += 1
        for key in self.script.get(self.slept, ""):
            self.press(key)


@pytest.fixture
def operator():
    session = Session()
    session.act(Action.ARM)
    session.act(Action.START)
    return Keys(session)


@pytest.fixture
def env(slider, operator):
    made = slider(reachable=False)
    made.supervisor = operator
    return made


def pressing(env, step, keys):
    """Has `keys` pressed while step `step` (from 0) is waited for."""

    def on_step(taken):
        if taken == step:
            for key in keys:
                env.supervisor.press(key)

    env.on_step = on_step


def choose(observation):
    return Choice(STAY, 0.0, Source.POLICY, 0)


def run(env):
    return list(episode(env, choose, seed=1))


@pytest.mark.parametrize("key", [" ", "\x03"])
def test_a_stop_ends_the_step_under_way_and_holds(env, key):
    pressing(env, 3, key)
    steps = run(env)
    assert len(steps) == 4
    assert steps[-1].truncated and not steps[-1].terminated
    assert steps[-1].step.fault == STOPPED_BY_OPERATOR
    assert np.isfinite(steps[-1].next_observation).all()
    assert env.held == 1


def test_a_stop_between_two_steps_sends_nothing_more(env):
    env.reset(seed=1)
    env.step(STAY)
    sent = env._command_sent
    env.supervisor.press(" ")
    _, _, terminated, truncated, info = env.step(np.ones(1))
    assert env._command_sent is env._still is not sent
    assert (terminated, truncated) == (False, True)
    np.testing.assert_array_equal(step_info(info).action, [0.0])


def test_a_pause_between_two_steps_sends_nothing_more(env):
    env.reset(seed=1)
    env.step(STAY)
    env.supervisor.press("p")
    env.supervisor.script = {2: "p"}
    _, _, _, truncated, info = env.step(np.ones(1))
    assert env._command_sent is env._still and not truncated
    np.testing.assert_array_equal(step_info(info).action, [0.0])


def test_nothing_begins_after_a_stop(env):
    env.supervisor.press(" ")
    with pytest.raises(Halted, match=STOPPED_BY_OPERATOR):
        env.reset()
    with pytest.raises(RuntimeError, match="reset"):
        env.step(STAY)


@pytest.mark.parametrize("state", [State.DISARMED, State.ARMED])
def test_nothing_begins_before_the_start(env, state):
    session = Session()
    if state is State.ARMED:
        session.act(Action.ARM)
    env.supervisor = Operator(session, judges=True)
    with pytest.raises(Halted, match=state.value):
        env.reset()


def test_an_arm_that_has_to_be_armed_does_not_move_without_an_operator(env):
    env.supervisor, env.arming_needed = None, True
    with pytest.raises(Halted, match="armed"):
        env.reset()


def test_a_pause_holds_and_takes_no_steps(env):
    pressing(env, 3, "p")
    env.supervisor.script = {5: "p"}
    steps = run(env)
    assert len(steps) == env.horizon == env.taken
    assert env.held == 5 and env.supervisor.slept == 5


def test_a_pause_can_be_stopped(env):
    pressing(env, 3, "p")
    env.supervisor.script = {2: " "}
    steps = run(env)
    assert len(steps) == 4 and steps[-1].step.fault == STOPPED_BY_OPERATOR


def test_nothing_begins_during_a_pause(env):
    env.supervisor.press("p")
    env.supervisor.script = {3: "p"}
    env.reset(seed=1)
    assert env.held == 3


def test_a_marked_success_ends_the_episode_with_its_reward(env):
    pressing(env, 3, "s")
    steps = run(env)
    last = steps[-1]
    assert (len(steps), last.reward, last.terminated, last.truncated, last.step.success) == (4, 0.0, True, False, True)


def test_a_marked_failure_is_worth_no_more_than_failing_to_the_end(env):
    pressing(env, 3, "f")
    steps = run(env)
    last = steps[-1]
    assert (len(steps), last.terminated, last.truncated, last.step.success) == (4, True, False, False)
    assert sum(step.reward for step in steps) == -env.horizon


def test_a_discarded_episode_is_truncated_and_has_no_outcome(env):
    pressing(env, 3, "r")
    last = run(env)[-1]
    assert (last.reward, last.terminated, last.truncated, last.step.success) == (-1.0, False, True, None)
    assert last.step.discarded and last.step.fault is None


def test_a_mark_during_a_pause_waits_for_the_resume(env):
    pressing(env, 3, "ps")
    env.supervisor.script = {4: "p"}
    steps = run(env)
    assert len(steps) == 4 and steps[-1].step.success is True and env.held == 4


def test_the_last_of_two_marks_counts(env):
    pressing(env, 3, "sf")
    assert run(env)[-1].step.success is False


def test_a_stop_beats_a_mark(env):
    pressing(env, 3, "s ")
    last = run(env)[-1]
    assert last.truncated and last.step.success is False and last.step.fault == STOPPED_BY_OPERATOR


@pytest.mark.parametrize("key", "sfr")
def test_a_mark_between_episodes_is_refused_and_marks_nothing(env, key):
    run(env)
    env.supervisor.press(key)
    assert "no episode is under way" in env.supervisor.line()
    assert len(run(env)) == env.horizon


@pytest.mark.parametrize("key", "sfr")
def test_a_task_without_success_is_not_judged(env, key):
    env.supervisor._judges = False
    pressing(env, 3, key)
    assert len(run(env)) == env.horizon


def test_discarded_episodes_come_again_from_the_same_start(env):
    seeds, results = [], []
    pressing(env, 25, "r")  # in the second episode

    def one(seed):
        seeds.append(seed)
        steps = list(episode(env, choose, seed))
        results.append(steps[-1].step.discarded)
        return steps[-1]

    assert counted_episodes(env, [7, 8, 9], one) == 3
    assert seeds == [7, 8, 8, 9] and results == [False, True, False, False]


@pytest.mark.parametrize(("keys", "counted"), [("q", 2), ("qr", 1)])
def test_finishing_waits_for_the_episode(env, keys, counted):
    pressing(env, 25, keys)
    assert counted_episodes(env, range(9), lambda seed: list(episode(env, choose, seed))[-1]) == counted


def test_finishing_before_anything_counts_is_told(env):
    pressing(env, 5, "qr")
    with pytest.raises(Halted, match=FINISHED_BY_OPERATOR):
        counted_episodes(env, range(9), lambda seed: list(episode(env, choose, seed))[-1])


BROKEN = Fault("servo 3 is overloaded", "take the load off")


def test_a_fault_of_the_robot_ends_the_episode_and_latches(env):
    env._robot_fault = lambda: BROKEN if env.taken == 4 else None
    steps = run(env)
    assert len(steps) == 4 and steps[-1].truncated and steps[-1].step.fault == BROKEN.cause
    assert env.supervisor.session.state is State.FAULT
    env._robot_fault = lambda: None
    with pytest.raises(Halted, match="servo 3 is overloaded; take the load off"):
        env.reset()


def test_a_fault_between_episodes_is_told(env):
    env._robot_fault = lambda: BROKEN
    with pytest.raises(Halted, match="overloaded"):
        env.reset()
    assert env.held == 1 and env.supervisor.session.reason == BROKEN


def test_a_fault_during_a_pause_ends_it(env):
    pressing(env, 3, "p")
    env._robot_fault = lambda: BROKEN if env.supervisor.slept == 2 else None
    assert run(env)[-1].step.fault == BROKEN.cause


def test_a_refused_command_is_a_fault_of_the_session(env):
    env.reset(seed=1)
    env.step(np.full(1, np.nan))
    assert env.supervisor.session.state is State.FAULT
    assert "finite" in env.supervisor.session.reason.cause


def test_without_a_supervisor_a_fault_ends_one_episode_only(slider):
    env = slider()
    env.reset(seed=1)
    assert env.step(np.full(1, np.nan))[3]
    env.reset(seed=1)
    assert not env.step(STAY)[3]


def test_the_line_says_state_step_success_and_the_last_reason(env):
    assert env.supervisor.line() == "POLICY  step 0"
    pressing(env, 2, "s")
    run(env)
    assert env.supervisor.line().startswith("POLICY  step 3  success 1/1")
    env.reset(seed=1)
    env.step(np.full(1, 3.0))
    assert env.supervisor.line().startswith("POLICY  step 1  success 1/1  box: ")
    env.supervisor.press("p")
    assert env.supervisor.line().startswith("PAUSED  step 1")
    env.supervisor.press(" ")
    assert env.supervisor.line() == "STOPPED  step 1  success 1/1  space"


def test_an_impossible_key_is_answered_in_the_line(env):
    env.supervisor.press(" ")
    env.supervisor.session.act(Action.RESET_STOP)
    env.supervisor.press("p")
    assert "cannot pause while disarmed: possible while policy or human" in env.supervisor.line()


def test_other_keys_do_nothing(env):
    before = env.supervisor.line()
    for key in "abxyz\n\t7":
        env.supervisor.press(key)
    assert env.supervisor.line() == before and env.supervisor.session.state is State.POLICY


@pytest.mark.parametrize(("keys", "after"), [("", State.DISARMED), ("p", State.DISARMED), (" ", State.STOPPED)])
def test_leaving_disarms_what_is_not_latched(operator, keys, after):
    for key in keys:
        operator.press(key)
    operator.leave()
    assert operator.session.state is after
