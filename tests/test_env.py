"""The order of a control step, which no adapter can change, on an env with nothing in it but a point."""

import numpy as np
import pytest

from porl_robot.command import Command, CommandSpace, Intervention, RobotState, Verdict
from porl_robot.env import Outcome, RobotEnv, box, step_info
from porl_robot.safety import action_chain


class PointEnv(RobotEnv):
    """A point in the plane moves by a tenth of its action. Success beyond x = 1; notes every call of a hook."""

    name = "point"
    control_hz = 20.0
    horizon = 30
    command_space = CommandSpace.RAW

    def __init__(self, safety=None):
        self.observation_space, self.action_space = box(-np.inf, np.inf, 2), box(-1.0, 1.0, 2)
        self.safety = safety or action_chain(2)
        self.point, self.sent, self.calls = np.zeros(2), np.zeros(2), []
        self.clock_cut = False

    def robot_state(self):
        self.calls.append("state")
        at = Command.at_rest(self.command_space, self.sent.copy())
        return RobotState(self.point.copy(), np.zeros(2), at, self._now())

    def hold(self):
        self.calls.append("hold")
        self.sent = np.zeros(2)

    def _begin_episode(self, seed):
        self.point = self.np_random.uniform(-0.5, 0.5, 2)
        self.sent = np.zeros(2)

    def _command(self, action):
        self.calls.append("command")
        return Command.at_rest(self.command_space, action)

    def _send(self, command):
        self.calls.append("send")
        self.sent = command.values

    def _wait_for_tick(self):
        self.calls.append("wait")
        self.point = self.point + 0.1 * self.sent

    def _observe(self):
        self.calls.append("observe")
        return self.point.astype(np.float32)

    def _outcome(self):
        self.calls.append("outcome")
        success = bool(self.point[0] > 1.0)
        return Outcome(0.0 if success else -1.0, success, success, truncated=self.clock_cut)


RIGHT = np.array([1.0, 0.0])


@pytest.fixture
def env():
    made = PointEnv()
    made.reset(seed=1)
    made.calls.clear()
    return made


def run(env, seed, actions):
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        seen += [observation, reward, terminated, truncated, step_info(info).action]
        if terminated or truncated:
            break
    return seen


def test_step_before_the_first_reset_is_refused():
    env = PointEnv()
    with pytest.raises(RuntimeError, match="reset"):
        env.step(RIGHT)
    assert env.calls == []


@pytest.mark.parametrize("ending", ["success", "time", "fault"])
def test_step_after_the_end_is_refused_until_the_next_reset(env, ending):
    action = {"success": RIGHT, "time": 0 * RIGHT, "fault": np.nan * RIGHT}[ending]
    ended = False
    while not ended:
        *_, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated
    env.calls.clear()
    with pytest.raises(RuntimeError, match="reset"):
        env.step(RIGHT)
    assert env.calls == []
    env.reset()
    env.step(RIGHT)


@pytest.mark.parametrize("real_time", [True, False])
def test_a_robot_in_real_time_stands_still_from_the_end_of_an_episode_on(env, real_time):
    env.real_time = real_time
    run(env, 1, [RIGHT] * env.horizon)
    assert (env.calls[-1] == "hold") is real_time


@pytest.mark.parametrize("action", [0.5, np.zeros(1), np.zeros(3), np.zeros((1, 2)), []])
def test_action_of_the_wrong_shape_is_refused_and_the_episode_goes_on(env, action):
    with pytest.raises(ValueError, match=r"expected \(2,\)"):
        env.step(action)
    assert "send" not in env.calls and "wait" not in env.calls
    env.step(RIGHT)


def test_control_step_has_one_order(env):
    env.step(RIGHT)
    assert env.calls == ["state", "command", "send", "wait", "observe", "outcome"]


def test_refused_command_holds_instead_of_sending(env):
    env.step(np.nan * RIGHT)
    assert env.calls == ["state", "command", "hold", "wait", "observe", "outcome"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_action_is_a_fault_that_cuts_the_episode(env, bad):
    before = env.point.copy()
    observation, reward, terminated, truncated, info = env.step(np.array([0.3, bad]))
    step = step_info(info)
    assert (reward, terminated, truncated) == (-1.0, False, True)
    assert step.fault is not None and "value 1" in step.fault
    assert step.verdict.filters == 1
    np.testing.assert_array_equal(step.action, [0.0, 0.0])
    np.testing.assert_array_equal(observation, before.astype("f4"))


def test_what_the_chain_answers_is_what_is_sent_and_what_a_learner_gets():
    class Halve:
        names = ("half",)

        def __call__(self, command, state, dt):
            assert dt == 0.05
            after = Command.at_rest(command.space, command.values / 2)
            return Verdict(after, (Intervention("half", "why not", command.values, after.values),), 1)

    env = PointEnv(Halve())
    env.reset(seed=0)
    start = env.point.copy()
    *_, info = env.step(np.array([0.8, -0.4]))
    np.testing.assert_allclose(env.point, start + np.array([0.04, -0.02]))
    np.testing.assert_array_equal(step_info(info).action, [0.4, -0.2])
    assert step_info(info).verdict.filters == 1


def test_action_beyond_its_box_is_clipped_and_said_so(env):
    *_, info = env.step(np.array([3.0, -0.5]))
    step = step_info(info)
    np.testing.assert_array_equal(step.action, [1.0, -0.5])
    assert step.verdict.filters == 2 and step.fault is None


def test_time_limit_truncates_and_does_not_terminate(env):
    outcomes = [env.step(0 * RIGHT)[2:4] for _ in range(30)]
    assert outcomes == [(False, False)] * 29 + [(False, True)]


def test_success_terminates_and_is_not_truncated(env):
    terminated = False
    while not terminated:
        _, reward, terminated, truncated, info = env.step(RIGHT)
        assert not truncated
        assert step_info(info).success is terminated
        assert reward == (0.0 if terminated else -1.0)


def test_success_on_the_last_step_in_time_is_a_success(env):
    env.horizon = 1
    env.point = np.array([0.95, 0.0])
    *_, terminated, truncated, _ = env.step(RIGHT)
    assert (terminated, truncated) == (True, False)


def test_success_beside_a_fault_is_a_success(env):
    env.point = np.array([1.5, 0.0])
    *_, terminated, truncated, info = env.step(np.nan * RIGHT)
    assert (terminated, truncated) == (True, False)
    assert step_info(info).fault is not None


def test_clock_of_the_task_itself_truncates(env):
    env.clock_cut = True
    *_, terminated, truncated, _ = env.step(0 * RIGHT)
    assert (terminated, truncated) == (False, True)


def test_step_count_begins_anew_with_every_episode(env):
    for _ in range(3):
        for _ in range(20):
            assert not env.step(0 * RIGHT)[3]
        env.reset()


def test_same_seed_same_episode_whatever_came_before():
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (25, 2))
    env, fresh = PointEnv(), PointEnv()
    expected = run(fresh, 5, actions)
    for seed in (5, 3, None, 5):
        if seed != 5:
            run(env, seed, rng.uniform(-2, 2, (7, 2)))
            continue
        for mine, other in zip(run(env, seed, actions), expected, strict=True):
            np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(run(env, 6, [])[0], expected[0])


def test_without_a_seed_every_episode_begins_elsewhere(env):
    starts = [tuple(env.reset()[0]) for _ in range(5)]
    assert len(set(starts)) == 5


def test_times_are_in_order_and_go_on_over_episodes(env):
    times = []
    for _ in range(2):
        for _ in range(5):
            step = step_info(env.step(RIGHT)[4])
            times += [step.time_observed, step.time_tick, step.time_sent]
        env.reset()
    assert times == sorted(times)
    ticks = times[1::3]
    np.testing.assert_allclose(np.diff(ticks), 0.05)


def test_observation_and_spaces_are_float32(env):
    observation = env.step(RIGHT)[0]
    assert observation.dtype == env.observation_space.dtype == env.action_space.dtype == np.float32
    assert observation in env.observation_space
