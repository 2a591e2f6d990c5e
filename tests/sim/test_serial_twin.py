"""The twin of an arm on a bus: its episodes, its wire, and the expert in it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import mujoco
import numpy as np
import pytest

from hardware.description import RobotDescription
from hardware.reach import INCREMENT
from hardware.reach_demonstrator import ReachDemonstrator
from porl_robot.command import Command, CommandSpace
from porl_robot.env import step_info
from porl_robot.errors import UserError
from porl_robot.paths import data_dir
from sim.serial_twin import SerialTwin, between

from ..arms import described

TICK = math.tau / 4096
EPISODES = 40


ARMS = [described(path.stem) for path in sorted((data_dir("configs") / "robot").glob("*.yaml"))]


def so101() -> RobotDescription:
    return next(arm for arm in ARMS if arm.name == "so101")


@pytest.fixture
def twin() -> SerialTwin:
    env = SerialTwin(so101())
    env.reset(seed=0)
    return env


def play(env: SerialTwin, seed: int, choose):
    """Everything an episode from `seed` brings, one list per step."""
    observation, _ = env.reset(seed=seed)
    seen, ended = [[observation]], False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(choose())
        ended = terminated or truncated
        seen.append([observation, reward, terminated, truncated, step_info(info)])
    return seen


def random_actions(seed: int, reach: float = 1.0):
    rng = np.random.default_rng(seed)
    return lambda: rng.uniform(-reach, reach, 4)


def test_clean_demonstrator_succeeds_unfiltered_and_touches_nothing(twin: SerialTwin) -> None:
    demonstrator = ReachDemonstrator(twin, bias=0.0, noise=0.0, p_random=0.0)
    rng = np.random.default_rng(0)
    successes, steps, filtered = 0, 0, 0
    for seed in range(EPISODES):
        twin.reset(seed=seed)
        demonstrator.begin(rng)
        ended = False
        while not ended:
            *_, terminated, truncated, info = twin.step(demonstrator.act())
            ended = terminated or truncated
            steps += 1
            filtered += bool(step_info(info).verdict.interventions)
            assert twin._data.ncon == 0
        successes += terminated
        assert terminated == step_info(info).success
    assert successes >= 0.95 * EPISODES
    assert filtered < 0.01 * steps
    assert steps < 20 * EPISODES


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm.model], ids=lambda arm: arm.name)
def test_the_expert_succeeds_on_the_twin_of_every_arm_with_a_model(arm: RobotDescription) -> None:
    twin, rng = SerialTwin(arm), np.random.default_rng(0)
    demonstrator = ReachDemonstrator(twin, bias=0.0, noise=0.0, p_random=0.0)
    for seed in range(5):
        twin.reset(seed=seed)
        demonstrator.begin(rng)
        ended = False
        while not ended:
            *_, terminated, truncated, _ = twin.step(demonstrator.act())
            ended = terminated or truncated
        assert terminated


def test_nothing_touches_whatever_is_done(twin: SerialTwin) -> None:
    """The workspace holds the arm, not only the target, while it is thrown about."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        twin.reset(seed=seed)
        twin.goal = np.ones(3)
        for _ in range(twin.horizon):
            twin.step(rng.choice([-1.0, 1.0], 4) if seed % 2 else np.array([1.0, 1.0, 1.0, 1.0]))
            assert twin._data.ncon == 0
            assert twin.kinematics.clearance(twin.robot_state().position) > 0.01


@pytest.mark.parametrize("speed", [1.0, 0.3])
def test_same_seed_same_episode_bit_for_bit_after_others(speed: float) -> None:
    env, fresh = SerialTwin(so101(), speed), SerialTwin(so101(), speed)
    expected = play(fresh, 11, random_actions(1))
    first = play(env, 11, random_actions(1))
    play(env, 12, random_actions(2, reach=3.0))
    play(env, 13, lambda: np.full(4, np.nan))
    again = play(env, 11, random_actions(1))
    for other in (first, again):
        assert len(other) == len(expected)
        for mine, theirs in zip(other, expected, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            assert mine[1:4] == theirs[1:4]
            if mine[4:]:
                np.testing.assert_array_equal(mine[4].action, theirs[4].action)


def test_it_is_the_task_of_the_arm_that_it_stands_for(twin: SerialTwin) -> None:
    observation, _ = twin.reset(seed=0)
    assert (twin.name, twin.control_hz, twin.horizon, twin.reward_bounds) == ("serial_reach", 20.0, 50, (-1.0, 0.0))
    assert observation.dtype == np.float32 and observation.shape == twin.observation_space.shape == (18,)
    assert twin.action_space.shape == (4,)
    assert twin.safety.names == ("finite", "position", "rate")
    assert not twin.real_time


def test_an_episode_begins_at_rest_where_the_arm_sags(twin: SerialTwin) -> None:
    for seed in range(5):
        twin.reset(seed=seed)
        state = twin.robot_state()
        sag = state.position - state.commanded.values
        assert np.abs(state.velocity).max() < 0.01
        assert 0.005 < np.abs(sag).max() < 0.06
        assert sag[0] == pytest.approx(0.0, abs=TICK)


def test_positions_and_velocities_come_in_ticks(twin: SerialTwin) -> None:
    twin.step(np.array([0.31, 0.22, -0.4, 0.17]))
    state = twin.robot_state()
    for values in ((state.position - twin.kinematics.middle) / TICK, state.velocity / TICK):
        np.testing.assert_allclose(values, np.round(values), atol=1e-6)
    assert np.abs(state.velocity).max() > TICK


def test_a_goal_reaches_the_servo_late(twin: SerialTwin) -> None:
    """The first two of a period's five bus cycles still work on the old goal."""
    before = twin.robot_state().commanded.values
    seen: list[float] = []
    advance = mujoco.mj_step

    def spy(model, data, count):
        seen.append(data.ctrl[0])
        advance(model, data, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mujoco, "mj_step", spy)
        twin.step(np.array([1.0, 0, 0, 0]))
    assert len(seen) == 5
    assert seen[:2] == pytest.approx([before[0]] * 2, abs=TICK)
    assert all(after > now for now, after in pairwise(seen[1:]))
    assert seen[-1] < before[0] + INCREMENT - TICK


def test_what_is_told_is_one_bus_cycle_old(twin: SerialTwin) -> None:
    for _ in range(4):
        twin.step(np.array([1.0, 0, 0, 0]))
    state = twin.robot_state()
    assert (state.age, state.timestamp) == (0.01, pytest.approx(4 * 0.05 - 0.01))
    now = twin._data.joint("shoulder_pan")
    assert now.qpos[0] - state.position[0] == pytest.approx(0.01 * now.qvel[0], rel=0.2)


def test_an_ordinary_action_is_executed_as_it_was_asked_for(twin: SerialTwin) -> None:
    action, before = np.array([0.9, -0.2, 0.4, 1.0]), twin.robot_state().commanded.values
    *_, info = twin.step(action)
    np.testing.assert_array_equal(step_info(info).action, action)
    np.testing.assert_allclose(
        twin.robot_state().commanded.values - before, [*(INCREMENT * action), 0.0, 0.0], atol=1e-12
    )


def test_a_slow_arm_is_filtered_and_its_executed_action_asks_for_what_was_sent() -> None:
    env, other = SerialTwin(so101(), speed=0.3), SerialTwin(so101(), speed=0.3)
    env.reset(seed=1)
    other.reset(seed=1)
    choose, filtered = random_actions(1), 0
    for _ in range(20):
        action = choose()
        *_, terminated, _, info = env.step(action)
        step = step_info(info)
        assert np.abs(step.action).max() <= 1.0
        if step.verdict.interventions:
            filtered += 1
            np.testing.assert_allclose(other._command(step.action).values, step.verdict.command.values, atol=1e-9)
        other.step(action)
        if terminated:
            break
    assert filtered > 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("joint", [0, 3])
def test_non_finite_action_holds_the_arm_and_ends_the_episode_by_a_fault(
    twin: SerialTwin, bad: float, joint: int
) -> None:
    for _ in range(4):
        twin.step(np.array([0.8, -0.5, 0.6, 0.3]))
    measured = twin.robot_state().position
    asked = np.zeros(4)
    asked[joint] = bad
    observation, reward, terminated, truncated, info = twin.step(asked)
    step = step_info(info)
    assert (reward, terminated, truncated) == (-1.0, False, True)
    assert step.fault is not None and "finite" in step.fault
    np.testing.assert_array_equal(
        twin.robot_state().commanded.values, np.clip(measured, twin.limits.lower, twin.limits.upper)
    )
    assert np.isfinite(observation).all()


def test_time_limit_truncates(twin: SerialTwin) -> None:
    steps = play(twin, 0, lambda: np.zeros(4))[1:]
    assert [step[2:4] for step in steps] == [[False, False]] * 49 + [[False, True]]
    assert {step[1] for step in steps} == {-1.0}


@pytest.mark.parametrize("change", [{"bus_hz": 30.0}, {"bus_hz": 10.0}, {"bus_hz": 300.0}])
def test_rates_that_do_not_divide_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UserError, match="does not divide into whole periods of"):
        SerialTwin(replace(so101(), **change))


@pytest.mark.parametrize("speed", [0.0, 1.01, np.nan])
def test_speed_outside_its_range_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"speed .* is outside \(0, 1\]"):
        SerialTwin(so101(), speed)


def test_the_way_between_commands_has_their_motion_at_both_ends() -> None:
    rng, period, eps = np.random.default_rng(0), 0.05, 1e-4
    start, end = (Command(CommandSpace.JOINT_TARGET, *rng.normal(size=(3, 4))) for _ in range(2))
    for command, share, way in ((start, 0.0, 1.0), (end, 1.0, -1.0)):
        near = [between(start, end, period, share + way * k * eps) for k in range(3)]
        speed = way * (near[1] - near[0]) / (eps * period)
        force = (near[2] - 2 * near[1] + near[0]) / (eps * period) ** 2
        np.testing.assert_allclose(near[0], command.values, atol=1e-12)
        np.testing.assert_allclose(speed, command.velocity, atol=0.1)
        np.testing.assert_allclose(force, command.acceleration, atol=10.0)
