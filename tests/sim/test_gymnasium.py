import subprocess
import sys
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from porl_robot.env import step_info
from porl_robot.errors import UsageError
from sim.gymnasium_env import GymnasiumEnv

TASKS = {
    "FetchPickAndPlace-v4": (31, 4, True),
    "AntMaze_UMaze-v5": (109, 8, True),
    "FrankaKitchen-v1": (93, 9, False),
    "AdroitHandPen-v1": (45, 24, True),
    "Pendulum-v1": (3, 1, False),
}


@pytest.fixture(scope="module", params=TASKS)
def env(request):
    env = GymnasiumEnv(request.param)
    yield env
    env.close()


class Scripted(gymnasium.Env):
    """Ends, or claims success, when told to."""

    metadata: ClassVar = {"render_fps": 10}
    observation_space = spaces.Box(-1, 1, (2, 2))
    action_space = spaces.Box(-3.0, 1.0, (2,))
    ends = (False, False)
    info: ClassVar = {}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((2, 2), np.float32), {}

    def step(self, action):
        self.seen = action
        return np.zeros((2, 2), np.float32), 0.25, *self.ends, self.info


class Unbounded(Scripted):
    action_space = spaces.Box(-np.inf, np.inf, (2,))


@pytest.fixture
def scripted():
    for name, kind, limit in [
        ("Scripted-v0", Scripted, 4),
        ("Unbounded-v0", Unbounded, 4),
        ("Endless-v0", Scripted, None),
    ]:
        gymnasium.register(name, kind, max_episode_steps=limit)
    yield
    for name in ("Scripted-v0", "Unbounded-v0", "Endless-v0"):
        del gymnasium.registry[name]


def play(env, seed, steps=20):
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        seen.append(env.step(rng.uniform(-1, 1, env.action_space.shape))[0])
    return np.stack(seen)


def test_spaces(env):
    id = env.name.removeprefix("gymnasium/")
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert (observation.size, env.action_space.shape[0], env.has_success) == TASKS[id]


def test_same_seed_same_episode_after_others(env):
    first = play(env, seed=1)
    other = play(env, seed=2)
    play(env, seed=None)
    assert np.array_equal(play(env, seed=1), first)
    assert not np.array_equal(other, first)


def test_success_is_told_every_step(env):
    env.reset(seed=0)
    success = step_info(env.step(np.zeros(env.action_space.shape))[4]).success
    assert (success in (True, False)) if env.has_success else success is None


def test_not_a_number_is_a_fault(env):
    env.reset(seed=0)
    observation, _, terminated, truncated, info = env.step(np.full(env.action_space.shape, np.nan))
    assert truncated and not terminated
    assert step_info(info).fault is not None and not step_info(info).action.any()
    assert np.isfinite(observation).all()


def test_not_a_number_does_not_move_fetch():
    env = GymnasiumEnv("FetchReach-v4")
    before, _ = env.reset(seed=0)
    after = env.step(np.array([1.0, 1.0, np.nan, 0.0]))[0]
    assert np.abs(after - before)[:3].max() < 0.005


def test_dictionaries_are_taken_in_alphabetical_order():
    env = GymnasiumEnv("FetchReach-v4")
    observation, _ = env.reset(seed=0)
    raw = env._observation
    parts = [raw["achieved_goal"], raw["desired_goal"], raw["observation"]]
    assert np.array_equal(observation, np.concatenate(parts).astype(np.float32))


def test_time_limit_truncates():
    env = GymnasiumEnv("FetchReach-v4")
    assert (env.horizon, env.control_hz) == (50, 25.0)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4))[2:4] for _ in range(50)]
    assert ends == [(False, False)] * 49 + [(False, True)]


def test_the_tasks_own_ends_are_respected(scripted, monkeypatch):
    env = GymnasiumEnv("Scripted-v0")
    for ends, expected in {
        (True, False): (True, False),
        (False, True): (False, True),
        (True, True): (True, False),
    }.items():
        env.reset(seed=0)
        monkeypatch.setattr(Scripted, "ends", ends)
        assert env.step(np.zeros(2))[1:4] == (0.25, *expected)


def test_success_alone_does_not_end_an_episode(scripted, monkeypatch):
    monkeypatch.setattr(Scripted, "info", {"is_success": np.float32(1.0)})
    env = GymnasiumEnv("Scripted-v0")
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step(np.zeros(2))
    assert env.has_success and step_info(info).success is True
    assert not terminated and not truncated


def test_actions_are_scaled_to_the_bounds(scripted):
    env = GymnasiumEnv("Scripted-v0")
    env.reset(seed=0)
    env.step(np.array([-1.0, 1.0]))
    assert env._task.unwrapped.seen.tolist() == [-3.0, 1.0]
    assert env._task.unwrapped.seen.dtype == np.float32


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("FetchRech-v4", "'FetchRech-v4' is unknown; nearest: FetchReach-v4"),
        ("CartPole-v1", "discrete actions"),
        ("FetchReach-v1", "cannot be made here: .*mujoco_py"),
        ("Unbounded-v0", "actions without bounds"),
        ("Endless-v0", "no time limit"),
    ],
)
def test_refusals(scripted, id, message):
    with pytest.raises(UsageError, match=message) as error:
        GymnasiumEnv(id)
    assert "\n" not in str(error.value)


def test_start_up_is_silent():
    code = (
        "from sim.gymnasium_env import GymnasiumEnv as E\n"
        "for id in ['FetchReach-v4', 'AntMaze_UMaze-v5', 'FrankaKitchen-v1', 'AdroitHandPen-v1']:\n"
        "    e = E(id); e.reset(); e.step(e.action_space.sample()); e.close()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout + result.stderr == ""
