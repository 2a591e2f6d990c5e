"""Kinematics of the arms we ship, held against differences, MuJoCo's own statics and geometry known in closed form."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics, damped_step
from porl_robot.paths import data_dir

MODELS = sorted((data_dir("configs") / "robot" / "models").glob("*.xml"))
ARM = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <worldbody>
    <geom name="table" type="plane" size="1 1 .1"/>
    <body name="link" pos="0 0 .5">
      <joint name="a" axis="0 1 0" range="-2 1"/>
      <geom name="rod" type="capsule" size=".01" fromto="0 0 0 .4 0 0" mass="2"/>
      <site name="tool" pos=".4 0 0"/>
    </body>
  </worldbody>
  <actuator><position name="a" joint="a"/></actuator>
  <keyframe><key name="rest" qpos=".5"/></keyframe>
</mujoco>
"""


@pytest.fixture
def rod(tmp_path: Path) -> ArmKinematics:
    path = tmp_path / "rod.xml"
    path.write_text(ARM)
    return ArmKinematics(path)


def poses(arm: ArmKinematics, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(arm.lower, arm.upper) for _ in range(count)]


def test_a_rod_in_closed_form(rod: ArmKinematics) -> None:
    angle = np.array([0.3])
    np.testing.assert_allclose(rod.tool_position(angle), [0.4 * np.cos(0.3), 0.0, 0.5 - 0.4 * np.sin(0.3)], atol=1e-12)
    np.testing.assert_allclose(rod.tool_rotation(angle)[:, 0], [np.cos(0.3), 0.0, -np.sin(0.3)], atol=1e-12)
    np.testing.assert_allclose(rod.gravity_torque(angle), [-2 * 9.81 * 0.2 * np.cos(0.3)], atol=1e-9)
    assert rod.clearance(angle) == pytest.approx(0.5 - 0.4 * np.sin(0.3) - 0.01)
    assert (rod.names, rod.middle, rod.rest, rod.workspace) == (("a",), [-0.5], [0.5], None)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_jacobian_is_the_derivative_of_the_tool(model: Path) -> None:
    arm, step = ArmKinematics(model), 1e-6
    for pose in poses(arm, 5):
        jacobian, rotation = arm.tool_jacobian(pose), arm.tool_rotation(pose)
        for joint in range(len(arm.names)):
            ahead, behind = pose.copy(), pose.copy()
            ahead[joint] += step
            behind[joint] -= step
            linear = (arm.tool_position(ahead) - arm.tool_position(behind)) / (2 * step)
            spin = (arm.tool_rotation(ahead) - arm.tool_rotation(behind)) / (2 * step) @ rotation.T
            np.testing.assert_allclose(jacobian[:3, joint], linear, atol=1e-7)
            np.testing.assert_allclose(jacobian[3:, joint], [spin[2, 1], spin[0, 2], spin[1, 0]], atol=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_gravity_torque_is_what_keeps_the_arm_still(model: Path) -> None:
    arm = ArmKinematics(model)
    physics = mujoco.MjModel.from_xml_path(str(model))
    physics.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    physics.dof_frictionloss[:] = 0.0
    data = mujoco.MjData(physics)
    for pose in poses(arm, 5):
        mujoco.mj_resetData(physics, data)
        data.qpos[:] = pose
        data.qfrc_applied[:] = arm.gravity_torque(pose)
        mujoco.mj_forward(physics, data)
        np.testing.assert_allclose(data.qacc, 0.0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_clearance_is_negative_exactly_where_mujoco_finds_a_contact(model: Path) -> None:
    arm = ArmKinematics(model)
    physics = mujoco.MjModel.from_xml_path(str(model))
    data = mujoco.MjData(physics)
    touching = 0
    for pose in poses(arm, 200):
        data.qpos[:] = pose
        mujoco.mj_forward(physics, data)
        touching += data.ncon > 0
        assert (arm.clearance(pose) <= 0.0) == (data.ncon > 0)
    assert 5 < touching < 195


def test_damped_steps_find_the_pose() -> None:
    arm = ArmKinematics(MODELS[0])
    assert arm.workspace is not None
    lower, upper = arm.workspace
    pose, goal = (lower + upper) / 2, arm.tool_position(lower + 0.3 * (upper - lower))
    for _ in range(30):
        pose = pose + damped_step(arm.tool_jacobian(pose)[:3], goal - arm.tool_position(pose), 1e-5)
    np.testing.assert_allclose(arm.tool_position(pose), goal, atol=1e-6)


def test_damped_step_minimises_its_sum_of_squares() -> None:
    rng = np.random.default_rng(0)
    jacobian, error, damping = rng.normal(size=(3, 5)), rng.normal(size=3), 0.3
    stacked = np.vstack([jacobian, np.sqrt(damping) * np.eye(5)])
    expected, *_ = np.linalg.lstsq(stacked, np.append(error, np.zeros(5)), rcond=None)
    np.testing.assert_allclose(damped_step(jacobian, error, damping), expected)


def test_what_it_gives_away_is_not_its_own(rod: ArmKinematics) -> None:
    jacobian, torque = rod.tool_jacobian(np.array([0.0])), rod.gravity_torque(np.array([0.0]))
    before = jacobian.copy(), torque.copy()
    rod.tool_jacobian(np.array([1.0]))
    rod.gravity_torque(np.array([1.0]))
    np.testing.assert_array_equal(jacobian, before[0])
    np.testing.assert_array_equal(torque, before[1])
    with pytest.raises(ValueError, match="read-only"):
        rod.rest[0] = 0.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<mujoco>", "<mujoc", "no model that MuJoCo can read"),
        ('site name="tool"', 'site name="tip"', "has no site 'tool'"),
        ('position name="a"', 'position name="b"', "has no joint 'b'"),
        ('key name="rest"', 'key name="home"', "has no keyframe 'rest'"),
    ],
)
def test_a_file_that_is_no_arm_is_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "broken.xml"
    path.write_text(ARM.replace(old, new))
    with pytest.raises(UserError, match=said) as error:
        ArmKinematics(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model that MuJoCo can read"):
        ArmKinematics(tmp_path / "none.xml")
