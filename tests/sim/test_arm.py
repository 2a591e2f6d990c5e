"""The training arm: its episodes, its filters, its tasks and their clean demonstrators."""

import math

import numpy as np
import pytest

from porl_robot.env import step_info
from sim.arm_demonstrator import LiftDemonstrator, PushDemonstrator, ReachDemonstrator, wrap_quarter_turn
from sim.arm_env import INCREMENT, ArmEnv
from sim.arm_physics import ArmPhysics, substeps
from sim.arm_tasks import Lift, Push, Reach

DEMONSTRATORS = {Reach: ReachDemonstrator, Push: PushDemonstrator, Lift: LiftDemonstrator}
TASKS = list(DEMONSTRATORS)
EPISODES = 30


@pytest.fixture
def reach():
    env = ArmEnv(Reach())
    env.reset(seed=0)
    return env


def play(env, seed, choose):
    """Everything an episode from `seed` brings, one list per step."""
    observation, _ = env.reset(seed=seed)
    seen, ended = [[observation]], False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(choose())
        ended = terminated or truncated
        seen.append([observation, reward, terminated, truncated, step_info(info)])
    return seen


def random_actions(env, seed, reach=1.0):
    rng = np.random.default_rng(seed)
    return lambda: rng.uniform(-reach, reach, env.action_space.shape)


@pytest.mark.parametrize("task", TASKS)
def test_clean_demonstrator_succeeds_unfiltered(task):
    env = ArmEnv(task())
    demonstrator = DEMONSTRATORS[task](env, bias=0.0, noise=0.0, p_random=0.0)
    rng = np.random.default_rng(0)
    successes, steps, filtered = 0, 0, 0
    for seed in range(EPISODES):
        env.reset(seed=seed)
        demonstrator.begin(rng)
        ended = False
        while not ended:
            *_, terminated, truncated, info = env.step(demonstrator.act())
            ended = terminated or truncated
            steps += 1
            filtered += bool(step_info(info).verdict.interventions)
        successes += terminated
        assert terminated == step_info(info).success
    assert successes >= 0.95 * EPISODES
    assert filtered < 0.01 * steps


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("speed", [1.0, 0.2])
def test_same_seed_same_episode_bit_for_bit_after_others(task, speed):
    env, fresh = ArmEnv(task(), speed), ArmEnv(task(), speed)
    expected = play(fresh, 11, random_actions(fresh, 1))
    first = play(env, 11, random_actions(env, 1))
    play(env, 12, random_actions(env, 2, reach=3.0))
    play(env, None, lambda: np.full(env.action_space.shape, np.nan))
    again = play(env, 11, random_actions(env, 1))
    for other in (first, again):
        assert len(other) == len(expected)
        for mine, theirs in zip(other, expected, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            assert mine[1:4] == theirs[1:4]
            if mine[4:]:
                np.testing.assert_array_equal(mine[4].action, theirs[4].action)
                assert mine[4].verdict.filters == theirs[4].verdict.filters


def test_other_seed_other_episode(reach):
    starts = [tuple(reach.reset(seed=seed)[0]) for seed in range(10)]
    assert len(set(starts)) == 10


@pytest.mark.parametrize("task", TASKS)
def test_spaces_are_as_announced(task):
    env = ArmEnv(task())
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32 and observation.shape == env.observation_space.shape
    assert observation.shape == (task.observation_size,)
    assert env.action_space.shape == (task.joints,)
    assert (env.control_hz, env.reward_bounds, env.has_success) == (20.0, (-1.0, 0.0), True)


def test_step_before_reset_and_wrong_shape_are_refused():
    env = ArmEnv(Reach())
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(4))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"\(6,\), expected \(4,\)"):
        env.step(np.zeros(6))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("joint", [0, 3])
def test_non_finite_action_holds_the_arm_and_ends_the_episode_by_a_fault(reach, bad, joint):
    for action in ((0.8, -0.5, 0.6, 0.3),) * 4:
        reach.step(np.array(action))
    measured = reach.physics.joint_position()
    asked = np.zeros(4)
    asked[joint] = bad
    observation, reward, terminated, truncated, info = reach.step(asked)
    step = step_info(info)
    assert (reward, terminated, truncated) == (-1.0, False, True)
    assert step.fault is not None and "finite" in step.fault
    np.testing.assert_array_equal(step.action, np.zeros(4))
    np.testing.assert_array_equal(reach.target, np.clip(measured, reach.limits.lower, reach.limits.upper))
    assert np.isfinite(observation).all()
    with pytest.raises(RuntimeError, match="reset"):
        reach.step(np.zeros(4))


def test_hold_targets_the_measured_pose_within_the_range(reach):
    outside = reach.limits.upper + 0.1
    reach.physics.data.qpos[:6] = outside
    reach.hold()
    np.testing.assert_array_equal(reach.target, reach.limits.upper)
    state = reach.robot_state()
    assert not state.commanded.velocity.any() and not state.commanded.acceleration.any()


@pytest.mark.parametrize("task", TASKS)
def test_time_limit_truncates(task):
    env = ArmEnv(task())
    steps = play(env, 0, lambda: np.zeros(task.joints))[1:]
    assert len(steps) == task.horizon
    assert [step[2:4] for step in steps] == [[False, False]] * (task.horizon - 1) + [[False, True]]
    assert {step[1] for step in steps} == {-1.0}
    assert steps[-1][4].success is False


def solved(horizon=None):
    env = ArmEnv(Reach())
    env.horizon = horizon or env.horizon
    demonstrator = ReachDemonstrator(env, 0.0, 0.0, 0.0)
    env.reset(seed=3)
    demonstrator.begin(np.random.default_rng(0))
    return play(env, 3, demonstrator.act)[1:]


def test_success_terminates_also_on_the_last_step_in_time():
    steps = solved()
    assert 2 < len(steps) < 50
    for horizon in (None, len(steps)):
        ending = solved(horizon)
        assert len(ending) == len(steps)
        assert ending[-1][1:4] == [0.0, True, False] and ending[-1][4].success is True
        assert all(step[1:4] == [-1.0, False, False] for step in ending[:-1])
    assert solved(len(steps) - 1)[-1][2:4] == [False, True]


@pytest.mark.parametrize("task", TASKS)
def test_slow_arm_is_filtered_and_its_executed_action_asks_for_what_was_sent(task):
    """A twin in the same state, asked for the executed action, asks for the command that was sent."""
    env, twin = ArmEnv(task(), speed=0.2), ArmEnv(task(), speed=0.2)
    filtered = 0
    for seed in range(3):
        env.reset(seed=seed)
        twin.reset(seed=seed)
        choose, ended = random_actions(env, seed), False
        while not ended:
            action = choose()
            *_, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            step = step_info(info)
            assert np.abs(step.action).max() <= 1.0
            if step.verdict.interventions:
                filtered += 1
                asked = twin._command(step.action).values
                np.testing.assert_allclose(asked, step.verdict.command.values, atol=1e-9)
                assert np.abs(step.action - action).max() > 1e-3
            else:
                np.testing.assert_array_equal(step.action, action)
            twin.step(action)
            np.testing.assert_array_equal(twin.target, env.target)
    assert filtered > 50


def test_slow_arm_keeps_its_limits():
    env = ArmEnv(Reach(), speed=0.2)
    env.reset(seed=0)
    targets, ended = [env.target], False
    while not ended:
        *_, truncated, info = env.step(np.array([1.0, -1.0, 1.0, -1.0]))
        ended = truncated or step_info(info).success
        targets.append(env.target)
    speeds = np.abs(np.diff(targets, axis=0)) * 20.0
    assert (speeds <= env.limits.velocity * (1 + 1e-9)).all()
    assert speeds.max() > 0.0


def test_filtered_target_is_in_the_observation():
    env = ArmEnv(Reach(), speed=0.2)
    env.reset(seed=0)
    observation, *_, info = env.step(np.ones(4))
    assert step_info(info).verdict.interventions
    gap = env.target[:4] - env.physics.joint_position()[:4]
    np.testing.assert_allclose(observation[8:12], gap, atol=1e-6)
    np.testing.assert_array_equal(env.target, step_info(info).verdict.command.values)


@pytest.mark.parametrize("speed", [1.0, 0.2])
def test_learner_gets_an_action_in_its_box_whatever_was_asked_for(speed):
    env = ArmEnv(Lift(), speed)
    for _, _, _, _, step in play(env, 0, random_actions(env, 0, reach=20.0))[1:]:
        assert step.action.shape == (6,)
        assert np.abs(step.action).max() <= 1.0


def test_ordinary_action_is_executed_as_it_was_asked_for(reach):
    action = np.array([0.9, -0.2, 0.4, 1.0])
    before = reach.target
    *_, info = reach.step(action)
    np.testing.assert_array_equal(step_info(info).action, action)
    np.testing.assert_allclose(reach.target[:4], before[:4] + INCREMENT[:4] * action)
    np.testing.assert_allclose(reach.target[4:], before[4:], atol=1e-9)


def test_target_never_leaves_the_range(reach):
    reach.horizon = 200
    for _ in range(150):
        *_, terminated, truncated, _ = reach.step(np.array([1.0, 0.0, 0.0, 1.0]))
        assert (reach.target <= reach.limits.upper).all() and (reach.target >= reach.limits.lower).all()
        if terminated or truncated:
            break
    assert reach.target[0] == reach.limits.upper[0]


@pytest.mark.parametrize("speed", [0.0, -0.5, 1.01, np.nan])
def test_speed_outside_its_range_is_refused(speed):
    with pytest.raises(ValueError, match=r"speed .* is outside \(0, 1\]"):
        ArmEnv(Reach(), speed)


def test_state_reports_what_was_sent(reach):
    *_, info = reach.step(np.array([0.5, 0.1, -0.1, 0.0]))
    state = reach.robot_state()
    np.testing.assert_array_equal(state.commanded.values, step_info(info).verdict.command.values)
    np.testing.assert_array_equal(state.position, reach.physics.joint_position())
    assert state.timestamp == pytest.approx(0.05)


def test_measured_state_is_a_copy(reach):
    state = reach.robot_state()
    before = state.position.copy(), state.effort.copy(), state.commanded.values.copy()
    reach.step(np.ones(4))
    for kept, value in zip(before, (state.position, state.effort, state.commanded.values), strict=True):
        np.testing.assert_array_equal(kept, value)


def test_arm_may_be_held_and_closed_at_any_time():
    env = ArmEnv(Lift())
    env.hold()
    env.close()
    env.hold()
    env.close()


@pytest.mark.parametrize(("rate", "steps"), [(20.0, 10), (200.0, 1), (100.0, 2), (12.5, 16)])
def test_control_period_is_a_number_of_physics_steps(rate, steps):
    assert substeps(rate) == steps


@pytest.mark.parametrize("rate", [30.0, 400.0, 201.0])
def test_control_rate_that_does_not_fit_is_refused_with_both_numbers(rate):
    with pytest.raises(ValueError) as caught:
        substeps(rate)
    assert str(rate) in str(caught.value) and "0.005 s" in str(caught.value)


@pytest.mark.parametrize(("gap", "done"), [(0.0119, True), (0.0121, False)])
def test_reach_is_within_twelve_millimetres(gap, done):
    physics, task = ArmPhysics(), Reach()
    task.begin(physics, np.random.default_rng(0))
    task.goal = physics.tool() + gap * np.array([0.6, 0.0, 0.8])
    assert task.success(physics) is done


@pytest.mark.parametrize(("gap", "done"), [(0.0249, True), (0.0251, False)])
def test_push_is_judged_on_the_table(gap, done):
    physics, task = ArmPhysics(), Push()
    task.begin(physics, np.random.default_rng(0))
    task.goal = physics.cube() + np.array([0.0, gap, 0.5])
    assert task.success(physics) is done


@pytest.mark.parametrize(("height", "done"), [(0.0601, True), (0.0599, False)])
def test_lift_is_above_six_centimetres(height, done):
    physics, task = ArmPhysics(), Lift()
    physics.place(np.zeros(6), np.array([0.2, 0.0, height]), 0.0)
    assert task.success(physics) is done


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0])
def test_push_sees_the_tool_from_the_cube_along_the_way_to_the_goal(turn):
    physics, task = ArmPhysics(), Push()
    task.begin(physics, np.random.default_rng(0))
    along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    cube = physics.cube()
    task.goal = cube + np.append(0.08 * along, 0.0)
    gap = (physics.tool() - cube)[:2]
    seen = task.observe(physics, np.zeros(6))[-4:]
    assert seen[:2] == pytest.approx([10 * gap @ along, 10 * gap @ across])
    assert seen[2:] == pytest.approx(np.tanh([(gap @ along + 0.03) / 0.01, gap @ across / 0.01]))
    task.goal = cube  # arrived: no way is left, and no direction
    assert np.isfinite(task.observe(physics, np.zeros(6))).all()


def test_push_goals_are_six_to_ten_centimetres_away():
    env = ArmEnv(Push())
    for seed in range(50):
        env.reset(seed=seed)
        assert 0.06 <= np.linalg.norm((env.task.goal - env.physics.cube())[:2]) <= 0.10
        assert not env.task.success(env.physics)


def test_tool_jacobian_is_the_derivative_of_the_tool():
    physics, pose, step = ArmPhysics(), np.array([0.3, -0.2, 0.4, 0.1, 0.5, 0.02]), 1e-6
    away = np.array([-0.3, 0.0, 0.014])
    physics.place(pose, away, 0.0)
    jacobian = physics.tool_jacobian().copy()
    for joint in range(6):
        moved = []
        for sign in (1, -1):
            physics.place(pose + sign * step * np.eye(6)[joint], away, 0.0)
            moved.append(physics.tool())
        np.testing.assert_allclose(jacobian[:, joint], (moved[0] - moved[1]) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("angle", np.linspace(-10, 10, 41))
def test_angle_is_wrapped_to_a_quarter_turn(angle):
    wrapped = wrap_quarter_turn(angle)
    assert -np.pi / 4 <= wrapped <= np.pi / 4
    turns = (angle - wrapped) / (np.pi / 2)
    assert turns == pytest.approx(round(turns), abs=1e-9)
