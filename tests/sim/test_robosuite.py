import subprocess
import sys
import time

import numpy as np
import pytest

from porl_robot.env import step_info
from porl_robot.errors import UsageError
from sim.robosuite_demonstrator import CanDemonstrator, LiftDemonstrator, SquareDemonstrator
from sim.robosuite_door_demonstrator import DoorDemonstrator
from sim.robosuite_env import RobosuiteEnv
from sim.robosuite_tasks import TASKS, cube_position

SIZES = {"Lift": (24, 4), "PickPlaceCan": (27, 4), "NutAssemblySquare": (37, 7), "Door": (28, 7)}


@pytest.fixture(scope="module")
def lift():
    env = RobosuiteEnv("Lift")
    yield env
    env.close()


@pytest.fixture(scope="module", params=SIZES)
def any_task(request, lift):
    env = lift if request.param == "Lift" else RobosuiteEnv(request.param)
    yield request.param, env
    if env is not lift:
        env.close()


def play(env, seed, steps=12):
    """Observations of one episode of random actions."""
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        seen.append(env.step(rng.uniform(-1, 1, env.action_space.shape))[0])
    return np.stack(seen)


def demonstrate(env, demonstrator, seed):
    """Plays one episode; the last step's result."""
    env.reset(seed=seed)
    demonstrator.begin(np.random.default_rng(seed))
    while True:
        result = env.step(demonstrator.act())
        if result[2] or result[3]:
            return result


def test_spaces(any_task):
    task, env = any_task
    observation, _ = env.reset(seed=0)
    assert (observation.size, env.action_space.shape[0]) == SIZES[task]
    assert observation.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert np.abs(observation).max() < 10
    assert env.robot_state().position.shape == env.robot_state().velocity.shape == (7,)


def test_same_seed_same_episode_after_others(any_task):
    _, env = any_task
    first = play(env, seed=5)
    other = play(env, seed=6)
    play(env, seed=None)
    assert np.array_equal(play(env, seed=5), first)
    assert not np.array_equal(other[0], first[0])


def test_same_seed_same_episode_in_another_env(lift):
    twin = RobosuiteEnv("Lift")
    assert np.array_equal(play(twin, seed=7), play(lift, seed=7))


def test_success_terminates(lift):
    demonstrator = LiftDemonstrator(lift, 0.0, 0.0, 0.0)
    _, reward, terminated, truncated, info = demonstrate(lift, demonstrator, seed=0)
    assert terminated and not truncated
    assert reward == 0.0 and step_info(info).success is True
    assert cube_position(lift.scene)[2] > 0.84
    with pytest.raises(RuntimeError, match="reset"):
        lift.step(np.zeros(4))


def test_time_limit_truncates(lift):
    lift.reset(seed=0)
    ends = [lift.step(np.zeros(4))[1:4] for _ in range(lift.horizon)]
    assert ends[:-1] == [(-1.0, False, False)] * (lift.horizon - 1)
    assert ends[-1] == (-1.0, False, True)


def test_not_a_number_holds(any_task):
    _, env = any_task
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape))
    before = env.robot_state().position
    action = np.zeros(env.action_space.shape)
    action[1] = np.nan
    observation, _, terminated, truncated, info = env.step(action)
    assert truncated and not terminated
    assert step_info(info).fault is not None
    assert not step_info(info).action.any() and np.isfinite(observation).all()
    assert np.abs(env.robot_state().position - before).max() < 0.01


def test_actions_move_the_hand_as_documented(lift):
    lift.reset(seed=0)
    start = lift.scene.eef_position()
    for _ in range(5):
        lift.step(np.array([0.0, 1.0, 0.0, 0.0]))
    assert (lift.scene.eef_position() - start)[1] > 0.03
    fingers = lift.scene.fingers()
    for _ in range(5):
        lift.step(np.array([0.0, 0.0, 0.0, -1.0]))
    assert np.abs(lift.scene.fingers()).sum() > np.abs(fingers).sum() + 0.01


def test_no_step_stalls():
    env = RobosuiteEnv("Lift")
    env.reset(seed=0)
    start = time.perf_counter()
    env.step(np.full(4, 0.5))
    assert time.perf_counter() - start < 0.5


def test_unknown_task():
    with pytest.raises(UsageError, match=r"'Lfit'.*Lift, PickPlaceCan") as error:
        RobosuiteEnv("Lfit")
    assert "\n" not in str(error.value)


def test_start_up_is_silent():
    code = "from sim.robosuite_env import RobosuiteEnv as E; e = E('Lift'); e.reset(); e.reset(); e.close()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout + result.stderr == ""


def test_bias_noise_and_chance_degrade(lift):
    clean = LiftDemonstrator(lift, 0.0, 0.0, 0.0)
    blind = LiftDemonstrator(lift, 0.2, 0.0, 0.0)
    lift.reset(seed=0)
    for demonstrator in (clean, blind):
        demonstrator.begin(np.random.default_rng(0))
    assert not np.allclose(clean.act(), blind.act())
    chance = LiftDemonstrator(lift, 0.0, 0.0, 1.0)
    chance.begin(np.random.default_rng(0))
    held = [chance.act() for _ in range(3)]
    assert np.array_equal(held[0], held[1]) and np.array_equal(held[0], held[2])
    assert np.abs(held).max() <= 0.97


@pytest.mark.parametrize(("tries", "begun"), [(1, 1), (2, 2), (3, 3)])
def test_a_script_begins_again_with_another_offset_when_its_object_is_lost(lift, tries, begun):
    # 3 cm beside the cube the fingers close on its corner and lose it.
    demonstrator = LiftDemonstrator(lift, 0.018, 0.0, 0.0, tries)
    lift.reset(seed=8)
    demonstrator.begin(np.random.default_rng(8))
    offsets = {tuple(demonstrator._offset)}
    for _ in range(lift.horizon - 1):
        lift.step(demonstrator.act())
        offsets.add(tuple(demonstrator._offset))
    assert len(offsets) == begun


def test_there_is_at_least_one_try(lift):
    with pytest.raises(ValueError, match="tries 0 must be at least 1"):
        LiftDemonstrator(lift, 0.0, 0.0, 0.0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "demonstrator"),
    [
        ("Lift", LiftDemonstrator),
        ("PickPlaceCan", CanDemonstrator),
        ("NutAssemblySquare", SquareDemonstrator),
        ("Door", DoorDemonstrator),
    ],
)
def test_clean_demonstrator_succeeds(task, demonstrator):
    env = RobosuiteEnv(task)
    script = demonstrator(env, 0.0, 0.0, 0.0)
    assert np.mean([demonstrate(env, script, seed)[2] for seed in range(20)]) >= 0.95


def test_names_are_the_configs():
    assert [task.name for task in TASKS.values()] == [
        "robosuite_lift",
        "robosuite_can",
        "robosuite_square",
        "robosuite_door",
    ]
