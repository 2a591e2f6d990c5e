"""A whole arm: where it rests, how it holds a pose, what it draws."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.body import body_of
from sim.virtual_arm.calibration import calibration_from
from sim.virtual_arm.drive import TICKS_PER_RADIAN
from sim.virtual_arm.eprom import calibrated
from sim.virtual_arm.motor import MOTORS

ARMS = ("so101", "light")


def presents(arm: VirtualArm) -> list[int]:
    return [servo.drive.present() for servo in arm.servos]


def drive_to(arm: VirtualArm, goals: list[int]) -> None:
    for servo, goal in zip(arm.servos, goals, strict=True):
        servo.memory["goal_position"] = goal
        servo.memory["torque_enable"] = 1
        servo.drive.reload()


@pytest.mark.parametrize("name", ARMS)
def test_at_rest_every_joint_is_amid_its_travel(make_arm, name):
    arm = make_arm(name)
    for servo, tick in zip(arm.servos, presents(arm), strict=True):
        assert abs(tick - 2048) <= 900
        assert servo.memory["min_position"] + 200 <= tick <= servo.memory["max_position"] - 200


@pytest.mark.parametrize("name", ARMS)
def test_nothing_touches_anything_within_200_ticks_of_rest(make_arm, described, name):
    body = make_arm(name).body
    rest = np.array(body.position())
    addresses = [body.model.joint(joint).qposadr[0] for joint in described(name).names]
    data = mujoco.MjData(body.model)
    for place in range(len(rest)):
        for ticks in range(-200, 201, 25):
            data.qpos[:] = body.data.qpos
            data.qpos[addresses] = rest
            data.qpos[addresses[place]] += ticks / TICKS_PER_RADIAN
            mujoco.mj_forward(body.model, data)
            assert data.ncon == 0, (place, ticks)


@pytest.mark.parametrize("name", ARMS)
def test_without_torque_it_stays_where_it_is(make_arm, name):
    arm = make_arm(name)
    begun = presents(arm)
    arm.advance(60.0)
    assert np.abs(np.subtract(presents(arm), begun)).max() <= 2


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("away", [150, -150])
def test_with_the_shipped_gains_it_holds_within_40_ticks(make_arm, name, away):
    arm = make_arm(name)
    goals = [tick + away for tick in presents(arm)]
    drive_to(arm, goals)
    arm.advance(2.0)
    assert np.abs(np.subtract(presents(arm), goals)).max() <= 40


def test_a_stretched_arm_sags_as_its_gain_says(make_arm, known):
    arm = make_arm("so101")
    joints = known("so101").joints
    pose = dict.fromkeys(joints, 0.0) | {"shoulder_lift": 0.9, "elbow_flex": -0.9, "gripper": 0.3}
    goals = [joint.ticks(pose[name]) for name, joint in joints.items()]
    drive_to(arm, goals)
    arm.advance(3.0)
    lift = 1
    data = mujoco.MjData(arm.body.model)
    data.qpos[:] = arm.body.data.qpos
    mujoco.mj_forward(arm.body.model, data)
    weight = data.qfrc_bias[arm.body.model.joint("shoulder_lift").dofadr[0]]
    # kp of P 16 on 12 V is 14.43 N m/rad; friction may hold it 0.052 N m off.
    error = abs(presents(arm)[lift] - goals[lift]) / TICKS_PER_RADIAN
    assert error == pytest.approx(abs(weight) / 14.43, abs=0.052 / 14.43 + 2e-3)
    assert 0.3 < abs(weight) < 0.9


def test_a_hand_moves_a_joint_that_has_no_torque(make_arm):
    arm = make_arm("so101")
    arm.hands[2] = -0.3
    arm.advance(3.0)
    assert arm.body.position()[2] == pytest.approx(-0.3, abs=0.05)
    arm.hands.clear()
    drive_to(arm, presents(arm))
    arm.hands[2] = 0.6
    arm.advance(6.0)
    assert arm.body.position()[2] < 0.4


def test_what_the_servos_draw_pulls_the_supply_down(make_arm):
    arm = make_arm("light")
    drive_to(arm, [tick + 400 for tick in presents(arm)])
    lowest = 5.0
    for moment in np.arange(0.01, 0.3, 0.01):
        arm.advance(moment)
        lowest = min(lowest, arm.servos[0].drive.volts)
    assert 4.0 < lowest < 4.95


def test_a_supply_that_fails_resets_the_servos_and_nothing_turns_the_torque_on_again(make_arm, known):
    arm = make_arm("so101")
    drive_to(arm, presents(arm))
    arm.advance(0.1)
    arm.supply = 2.0
    arm.advance(0.15)
    assert not any(servo.listens or servo.drive.driven for servo in arm.servos)
    arm.restore_supply()
    arm.advance(0.2)
    assert not any(servo.listens for servo in arm.servos)
    arm.advance(0.5)
    assert all(servo.listens and servo.memory["torque_enable"] == 0 for servo in arm.servos)
    assert all(servo.memory["goal_position"] == servo.drive.present() for servo in arm.servos)
    assert [servo.memory["homing_offset"] for servo in arm.servos] == [
        joint.homing_offset for joint in known("so101").joints.values()
    ]


def test_an_arm_without_a_model_is_a_bench_of_servos(described):
    robot = described("so101")
    loose = replace(robot, model=None, joints=tuple(replace(j, lower=-1.0, upper=1.5) for j in robot.joints))
    made = calibration_from(loose, [-1.0] * 6, [1.5] * 6, {})
    arm = VirtualArm(loose, made, calibrated(loose, made), save=lambda: None)
    assert presents(arm) == [2048] * 6
    drive_to(arm, [3000] * 6)
    arm.advance(2.0)
    # The stop is at 2048 + 1.25 rad, and so is the limit in the EPROM.
    assert all(2850 <= tick <= 2864 for tick in presents(arm))


def test_a_servo_with_a_supply_of_its_own_gets_no_more(described):
    mixed = described("koch")
    made = calibration_from(mixed, [-1.0] * 6, [1.0] * 6, {})
    arm = VirtualArm(mixed, made, calibrated(mixed, made), save=lambda: None)
    arm.advance(0.1)
    assert [round(servo.drive.volts, 1) for servo in arm.servos] == [12.0] * 2 + [5.0] * 4
    assert all(servo.memory["status"] == 0 for servo in arm.servos)


def test_the_shipped_calibrations_fit_the_models(described, known):
    for name in ARMS:
        robot = described(name)
        body = body_of(robot, [MOTORS[joint.servo] for joint in robot.joints])
        for joint, lower, upper in zip(known(name).joints.values(), body.lower, body.upper, strict=True):
            assert joint.limits == pytest.approx((lower, upper), abs=1.5 / TICKS_PER_RADIAN)
            if robot.protocol == "dynamixel":
                # In mode 3 a servo neither takes a larger offset nor counts past its turn.
                assert abs(joint.homing_offset) <= 1024
                assert 0 <= joint.range_min - joint.homing_offset < joint.range_max - joint.homing_offset <= 4095
