"""The virtual arm and the MuJoCo model that stands for it move alike."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

PERIOD = 0.01
SECONDS = 3.0
HERTZ = np.array([0.5, 0.6, 0.8, 1.0, 1.3, 1.7])
SIZE = 0.1  # of each joint's sine [rad]


@pytest.mark.parametrize("name", ["so101", "light"])
def test_they_track_a_small_excitation_within_a_milliradian_of_each_other(make_arm, described, known, name):
    arm, robot = make_arm(name), described(name)
    joints = [known(name).joints[each] for each in robot.names]
    model = mujoco.MjModel.from_xml_path(str(robot.model))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("rest").id)
    addresses = [model.joint(each).qposadr[0] for each in robot.names]
    actuators = [model.actuator(each).id for each in robot.names]
    rest = np.array(arm.body.position())
    assert data.qpos[addresses] == pytest.approx(rest)
    apart, behind = [], []
    for now in np.arange(0.0, SECONDS, PERIOD):
        goals = rest + SIZE * min(now, 1.0) * np.sin(2 * np.pi * HERTZ * now)
        ticks = [joint.ticks(goal) for joint, goal in zip(joints, goals, strict=True)]
        for servo, tick in zip(arm.servos, ticks, strict=True):
            servo.memory["goal_position"], servo.memory["torque_enable"] = tick, 1
            servo.drive.reload()
        data.ctrl[actuators] = [joint.radians(tick) for joint, tick in zip(joints, ticks, strict=True)]
        arm.advance(now + PERIOD + 1e-9)
        mujoco.mj_step(model, data, round((arm.time - data.time) / model.opt.timestep))
        apart.append(data.qpos[addresses] - arm.body.position())
        behind.append(goals - arm.body.position())
    # What they have in common is far larger: the lag behind the goals, which gain, damping and friction make.
    assert (np.sqrt(np.mean(np.square(behind), axis=0)) > 0.008).all()
    assert (np.sqrt(np.mean(np.square(apart), axis=0)) < 0.001).all()
