"""The arms' MJCF models do what their servos' numbers and the virtual arm ask of them."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np
import pytest

from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir

FOLDER = data_dir("configs") / "robot" / "models"
MODELS = sorted(FOLDER.glob("*.xml"))
SO101 = FOLDER / "so101.xml"
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
TICK = math.tau / 4096
FREE_TICKS, STEADY_TICKS, FROM_CENTRE = 200, 40, 900

each = pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)


def at_rest(path: Path) -> tuple[mujoco.MjModel, mujoco.MjData, np.ndarray]:
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("rest").id)
    return model, data, data.qpos.copy()


def drive(model: mujoco.MjModel, data: mujoco.MjData, goal: np.ndarray, seconds: float) -> int:
    """Contacts seen on the way."""
    data.ctrl[:] = goal
    contacts = 0
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
        contacts += data.ncon
    return contacts


@each
def test_joints_have_the_names_that_every_arm_shares(path: Path) -> None:
    assert ArmKinematics(path).names == JOINTS


@each
def test_rest_lies_within_reach_of_the_centre_tick(path: Path) -> None:
    arm = ArmKinematics(path)
    assert np.abs((arm.rest - arm.middle) / TICK).max() <= FROM_CENTRE
    assert ((arm.upper - arm.lower) / TICK < 4096).all()


@each
def test_from_rest_every_joint_travels_both_ways_and_arrives(path: Path) -> None:
    for joint in range(len(JOINTS)):
        for way in (1, -1):
            model, data, goal = at_rest(path)
            goal[joint] += way * FREE_TICKS * TICK
            assert drive(model, data, goal, 1.0) == 0
            assert np.abs(data.qpos - goal).max() <= STEADY_TICKS * TICK
            assert np.abs(data.qvel).max() < 0.01


@each
def test_without_torque_friction_holds_the_rest_pose(path: Path) -> None:
    model, data, rest = at_rest(path)
    model.actuator_gainprm[:] = 0.0
    model.actuator_biasprm[:] = 0.0
    drive(model, data, rest, 10.0)
    np.testing.assert_allclose(data.qpos, rest, atol=TICK)


@each
def test_nothing_touches_in_the_workspace_nor_on_the_way_there_from_rest(path: Path) -> None:
    arm, rng = ArmKinematics(path), np.random.default_rng(0)
    assert arm.workspace is not None
    lower, upper = arm.workspace
    assert (lower > arm.lower).all() and (upper < arm.upper).all()
    for _ in range(500):
        inside, corner = (lower + share * (upper - lower) for share in (rng.random(6), rng.integers(0, 2, 6)))
        on_the_way = arm.rest + rng.random() * (corner - arm.rest)
        assert min(map(arm.clearance, (inside, corner, on_the_way))) >= 0.025


def test_so101_stands_where_its_table_says() -> None:
    model = mujoco.MjModel.from_xml_path(str(SO101))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for body, expected in {
        "upper_arm": (0.0692, -0.0183, 0.1166),
        "lower_arm": (0.0972, -0.0183, 0.2292),
        "wrist": (0.2321, -0.0183, 0.2344),
        "gripper": (0.2932, 0.0, 0.2344),
    }.items():
        np.testing.assert_allclose(data.body(body).xpos, expected, atol=3e-4)
    np.testing.assert_allclose(data.site("tool").xpos, (0.3914, 0.0, 0.2265), atol=1e-4)
    for joint, axis in {"shoulder_pan": (0, 0, -1), "elbow_flex": (0, 1, 0), "wrist_roll": (-1, 0, 0)}.items():
        np.testing.assert_allclose(data.joint(joint).xaxis, axis, atol=1e-3)
    assert model.body_mass.sum() == pytest.approx(0.632, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "most"),
    [("so101", (0.001, 0.863, 0.453, 0.117, 0.006, 0.004)), ("light", (0.001, 0.25, 0.25, 0.25, 0.25, 0.25))],
)
def test_gravity_asks_for_no_more_than_the_servos_can_hold(name: str, most: tuple[float, ...]) -> None:
    arm, rng = ArmKinematics(FOLDER / f"{name}.xml"), np.random.default_rng(0)
    torques = [np.abs(arm.gravity_torque(rng.uniform(arm.lower, arm.upper))) for _ in range(5000)]
    largest = np.max(torques, axis=0)
    assert (largest <= np.array(most) + 5e-4).all()
    if name == "so101":
        np.testing.assert_allclose(largest[1:4], most[1:4], rtol=0.03)


def test_so101_sags_as_its_gain_predicts() -> None:
    """After a step of 150 ticks from zero; and 2.06 degrees at 1.04 N m with twice the gain."""
    model = mujoco.MjModel.from_xml_path(str(SO101))
    for joint, expected in {"shoulder_lift": 28, "elbow_flex": 21, "wrist_flex": 6}.items():
        data, goal = mujoco.MjData(model), np.zeros(6)
        goal[JOINTS.index(joint)] = 150 * TICK
        drive(model, data, goal, 2.0)
        assert abs(goal - data.qpos)[JOINTS.index(joint)] / TICK == pytest.approx(
            expected, abs=3.5
        )  # friction keeps +-2.4
    kp = model.actuator("shoulder_lift").gainprm[0]
    assert math.degrees(1.04 / (2 * kp)) == pytest.approx(2.06, abs=0.01)


def test_so101_runs_no_faster_than_its_data_sheet() -> None:
    model = mujoco.MjModel.from_xml_path(str(SO101))
    data = mujoco.MjData(model)
    fastest = 0.0
    data.ctrl[0] = 1.9
    data.qpos[0] = -1.9
    for _ in range(500):
        mujoco.mj_step(model, data)
        fastest = max(fastest, abs(data.qvel[0]))
    assert 3.5 < fastest < 4.9
