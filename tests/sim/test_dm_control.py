import os
import subprocess
import sys

import numpy as np
import pytest

from porl_robot.env import step_info
from porl_robot.errors import UsageError
from sim.dm_control_env import DmControlEnv

TASKS = [
    ("reacher", "easy"),
    ("manipulator", "bring_ball"),  # has observations of shape ()
    ("quadruped", "walk"),  # has actuators that reach from -1 to 1.1
    ("finger", "turn_hard"),  # changes its model at every reset
    ("point_mass", "hard"),
]


@pytest.fixture(scope="module", params=TASKS, ids="/".join)
def env(request):
    env = DmControlEnv(*request.param)
    yield env
    env.close()


def play(env, seed, steps=20):
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        seen.append(env.step(rng.uniform(-1, 1, env.action_space.shape))[0])
    return np.stack(seen)


def test_spaces(env):
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32 and observation.ndim == 1
    assert env.observation_space.contains(observation)
    assert env.action_space.low.min() == -1 and env.action_space.high.max() == 1


def test_same_seed_same_episode_after_others(env):
    first = play(env, seed=1)
    other = play(env, seed=2)
    play(env, seed=None)
    assert np.array_equal(play(env, seed=1), first)
    assert not np.array_equal(other, first)


def test_reward_and_success(env):
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.zeros(env.action_space.shape))
    assert 0 <= reward <= 1
    assert step_info(info).success is None and not env.has_success


def test_not_a_number_is_a_fault(env):
    env.reset(seed=0)
    before = env.robot_state().position
    observation, _, terminated, truncated, info = env.step(np.full(env.action_space.shape, np.nan))
    assert truncated and not terminated
    assert step_info(info).fault is not None and not step_info(info).action.any()
    assert np.isfinite(observation).all()
    assert np.abs(env.robot_state().position - before).max() < 0.1


def test_actions_reach_the_bounds():
    env = DmControlEnv("quadruped", "walk")
    env.reset(seed=0)
    env.step(np.ones(12))
    limits = env._suite.action_spec()
    assert np.allclose(env._suite.physics.control(), limits.maximum)
    env.step(-np.ones(12))
    assert np.allclose(env._suite.physics.control(), limits.minimum)


def test_time_limit_truncates():
    env = DmControlEnv("reacher", "easy")
    assert (env.horizon, env.control_hz) == (1000, 50.0)
    env.reset(seed=0)
    ends = [env.step(np.zeros(2))[2:4] for _ in range(env.horizon)]
    assert ends[:-1] == [(False, False)] * 999
    assert ends[-1] == (False, True)


def test_discount_of_zero_terminates(monkeypatch):
    env = DmControlEnv("reacher", "easy")
    env.reset(seed=0)
    monkeypatch.setattr(env._suite.task, "get_termination", lambda physics: 0.0)
    assert env.step(np.zeros(2))[2:4] == (True, False)


def test_discount_of_one_truncates(monkeypatch):
    env = DmControlEnv("reacher", "easy")
    env.reset(seed=0)
    monkeypatch.setattr(env._suite.task, "get_termination", lambda physics: 1.0)
    assert env.step(np.zeros(2))[2:4] == (False, True)


@pytest.mark.parametrize(
    ("domain", "task", "message"),
    [
        ("reacher", "hrad", r"'reacher/hrad' is unknown; nearest: reacher/hard"),
        ("lqr", "lqr_2_1", "no action bounds"),
    ],
)
def test_refusals(domain, task, message):
    with pytest.raises(UsageError, match=message) as error:
        DmControlEnv(domain, task)
    assert "\n" not in str(error.value) and len(str(error.value)) < 160


def test_start_up_is_silent():
    code = "from sim.dm_control_env import DmControlEnv as E; e = E('reacher', 'easy'); e.reset(); e.close()"
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "MUJOCO_GL")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=bare)
    assert result.stdout + result.stderr == ""
