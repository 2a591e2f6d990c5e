"""The reach task: a function of what a bus can tell and of the goal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hardware.reach import INCREMENT, LEAD, MOVED, THRESHOLD, Reach
from hardware.reach_env import kinematics_of
from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir

from ..arms import described

FOLDER = data_dir("configs") / "robot"
MODELS = sorted((FOLDER / "models").glob("*.xml"))


@pytest.fixture(scope="module")
def arm() -> ArmKinematics:
    return ArmKinematics(FOLDER / "models" / "so101.xml")


@pytest.fixture(scope="module")
def task(arm: ArmKinematics) -> Reach:
    return Reach(arm, arm.lower, arm.upper)


def step(task: Reach, *action: float) -> np.ndarray:
    """The target that an action asks for of an arm at rest in the centre."""
    return task.target(np.array(action), task.centre, task.centre)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_starts_and_goals_lie_inside_and_differ(model: Path) -> None:
    arm = ArmKinematics(model)
    task, rng = Reach(arm, arm.lower, arm.upper), np.random.default_rng(0)
    starts = np.array([task.start(rng) for _ in range(300)])
    goals = np.array([task.goal(rng) for _ in range(300)])
    assert (starts >= task.lower).all() and (starts <= task.upper).all()
    assert (starts[:, MOVED:] == task.centre[MOVED:]).all()
    assert (goals[:, 2] > 0.05).all()
    assert (np.ptp(goals, axis=0) > 5 * THRESHOLD).all()
    assert np.mean([task.success(starts[0], goal) for goal in goals]) < 0.05


def test_the_target_stays_in_the_workspace_and_off_the_ends_of_the_ranges(arm: ArmKinematics) -> None:
    assert arm.workspace is not None
    lower = arm.lower.copy()
    lower[1] = arm.workspace[0][1] + 0.1
    task = Reach(arm, lower, arm.upper)
    assert task.lower[1] == pytest.approx(lower[1] + 0.05)
    np.testing.assert_array_equal(np.delete(task.lower, 1), np.delete(arm.workspace[0], 1))
    np.testing.assert_array_equal(task.upper, arm.workspace[1])


def test_a_range_that_is_too_narrow_is_refused_by_its_joint(arm: ArmKinematics) -> None:
    upper = arm.upper.copy()
    upper[2] = 0.1
    with pytest.raises(UserError, match=r"needs joint elbow_flex to go from -0.15 to 0.25 rad, its range allows"):
        Reach(arm, arm.lower, upper)


def test_an_action_moves_the_first_four_joints_by_its_share_of_the_increment(task: Reach) -> None:
    moved = step(task, 1.0, -0.5, 0.2, 0.0) - task.centre
    np.testing.assert_allclose(moved, INCREMENT * np.array([1.0, -0.5, 0.2, 0.0, 0.0, 0.0]), atol=1e-12)
    np.testing.assert_array_equal(step(task, 9.0, 0, 0, 0), step(task, 1.0, 0, 0, 0))


def test_the_target_runs_no_further_ahead_than_the_lead(task: Reach) -> None:
    commanded = task.centre.copy()
    for _ in range(10):
        commanded = task.target(np.array([1.0, 0, 0, 0]), task.centre, commanded)
    assert commanded[0] - task.centre[0] == pytest.approx(LEAD)


def test_the_target_ends_at_its_limit(task: Reach) -> None:
    at_the_end = task.centre.copy()
    at_the_end[0] = task.upper[0]
    np.testing.assert_array_equal(task.target(np.array([1.0, 0, 0, 0]), at_the_end, at_the_end), at_the_end)


def test_the_executed_action_asks_for_what_was_sent(task: Reach) -> None:
    action = np.array([0.3, -0.7, 0.1, 1.0])
    np.testing.assert_allclose(task.action(task.centre, step(task, *action)), action)
    np.testing.assert_array_equal(task.action(task.centre, task.centre + 1.0), np.ones(MOVED))


@pytest.mark.parametrize(("gap", "done"), [(0.99, True), (1.01, False)])
def test_success_is_the_tool_within_the_threshold_of_the_goal(
    arm: ArmKinematics, task: Reach, gap: float, done: bool
) -> None:
    goal = arm.tool_position(task.centre) + gap * THRESHOLD * np.array([0.6, 0.0, -0.8])
    assert task.success(task.centre, goal) is done


def test_the_observation_is_as_documented(arm: ArmKinematics, task: Reach) -> None:
    position, velocity, commanded = task.centre + 0.1, np.arange(6.0), task.centre + 0.13
    goal = np.array([0.2, 0.1, 0.3])
    tool = arm.tool_position(position)
    expected = np.concatenate([[0.1] * 4, [0.0, 0.2, 0.4, 0.6], [0.15] * 4, 5 * tool, 10 * (goal - tool)])
    np.testing.assert_allclose(task.observe(position, velocity, commanded, goal), expected)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_full_increment_fits_into_a_period_from_rest_to_rest(path: Path) -> None:
    """The shortest such motion: velocity 2 d/T, acceleration 16 d/T^2, jerk 32 d/T^3."""
    arm, period = described(path.stem), 0.05
    if arm.model is not None:
        assert arm.velocity >= 2 * INCREMENT / period
        assert arm.acceleration >= 16 * INCREMENT / period**2
        assert arm.jerk >= 32 * INCREMENT / period**3


def test_an_arm_without_a_fitting_model_is_refused(tmp_path: Path) -> None:
    so101 = described("so101")
    with pytest.raises(UserError, match="robot=so101: has no model"):
        kinematics_of(replace(so101, model=None))
    with pytest.raises(
        UserError, match=r"robot=so101: its joints are gripper, .* expected the same, in the same order"
    ):
        kinematics_of(replace(so101, joints=so101.joints[::-1]))
    assert so101.model is not None
    bare = tmp_path / "bare.xml"
    bare.write_text(so101.model.read_text().replace("workspace_lower", "other"))
    arm = kinematics_of(replace(so101, model=bare))
    with pytest.raises(UserError, match="workspace_lower and workspace_upper; this one has 6 joints and no workspace"):
        Reach(arm, arm.lower, arm.upper)
