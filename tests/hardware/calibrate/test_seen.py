"""A turn in words, and the words of our models against what one sees."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.calibrate.seen import seen
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir

MODELS = ["so100", "so101", "light"]


def model(name: str) -> ArmKinematics:
    return ArmKinematics(data_dir("configs") / "robot" / "models" / f"{name}.xml")


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ((0, 0, 1), "counterclockwise, seen from above"),
        ((0.1, 0, -1), "clockwise, seen from above"),
        ((0, -0.9, 0.4), "clockwise, seen from the left"),
        ((0.8, 0.5, 0.1), "counterclockwise, seen from the front"),
    ],
)
def test_the_largest_part_of_the_axis_decides(axis: tuple[float, ...], said: str) -> None:
    assert seen(np.array(axis)) == said


@pytest.mark.parametrize("name", MODELS)
def test_a_joint_turns_its_tool_about_its_axis(name: str) -> None:
    """The tool's own motion, from its positions, goes the way that the axis says."""
    arm = model(name)
    pose = arm.middle
    pose[1] += 0.3
    for joint in range(3):
        turned = pose.copy()
        turned[joint] += 1e-3
        relative = arm.tool_rotation(turned) @ arm.tool_rotation(pose).T
        spin = np.array([relative[2, 1], relative[0, 2], relative[1, 0]]) / 1e-3
        assert arm.axes(pose)[joint] == pytest.approx(spin, abs=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_our_models_reach_along_x(name: str) -> None:
    """Which is what the words take for forward."""
    arm = model(name)
    pose = np.clip(arm.rest + np.array([0.0, 0.5, 0.5, 0.5, 0.0, 0.0]), arm.lower, arm.upper)
    x, y, _ = arm.tool_position(pose)
    assert x > 0.05 and abs(y) < 0.03


def test_the_base_of_the_so101_turns_clockwise_where_its_angle_grows() -> None:
    arm = model("so101")
    assert seen(arm.axes(arm.rest)[0]) == "clockwise, seen from above"
