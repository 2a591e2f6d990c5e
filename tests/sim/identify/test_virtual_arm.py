"""What a virtual arm was given comes back from how its encoders say it moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from hardware.calibration import load_calibration
from hardware.description import RobotDescription
from porl_robot.env import FloatArray
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from porl_robot.safety import JointLimits
from sim.identify.excitation import Excitation, excitation
from sim.identify.fit import JointFit, fit, tracking_error
from sim.identify.model_file import ModelFile
from sim.identify.parameters import NAMES
from sim.identify.recording import Header, Recording
from sim.identify.simulation import Simulation
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.eprom import calibrated

from ...arms import described

BACKLASH = 0.01  # rad


def motion_of(robot: RobotDescription) -> Excitation:
    assert robot.model is not None
    arm, ones = ArmKinematics(robot.model), np.ones(len(robot.names))
    rates = (robot.velocity * ones, robot.acceleration * ones, robot.jerk * ones)
    return excitation(JointLimits(robot.names, *arm.workspace, *rates), robot.bus_hz, seed=0)


class Bench:
    """A virtual arm without a wire. Its servos get every goal `delay` [s], in whole physics steps, after it is sent."""

    def __init__(self, robot: RobotDescription, delay: float) -> None:
        calibration = load_calibration(data_dir("calibration") / f"virtual-{robot.name}.json")
        kept = calibrated(robot, calibration)
        self._arm = VirtualArm(robot, calibration, kept, save=lambda: None, backlash=BACKLASH)
        self._joints = [calibration.joints[name] for name in robot.names]
        self._robot, self._delay = robot, delay
        for servo in self._arm.servos:
            servo.memory["acceleration"] = 0

    def recorded(self, motion: Excitation) -> Recording:
        begin = np.array(self._arm.body.position())
        for share in np.linspace(0.0, 1.0, 150):
            self._send(begin + share * (motion.position[0] - begin))
            self._arm.advance(self._arm.time + 0.01 + 1e-9)
        start = round(self._arm.time, 3) + 0.01
        time = start + np.arange(len(motion.position)) / motion.hz
        positions, goals = [], []
        for moment, goal in zip(time, motion.position, strict=True):
            self._arm.advance(moment + 1e-9)
            shown = [servo.drive.present() for servo in self._arm.servos]
            positions.append([joint.radians(each) for joint, each in zip(self._joints, shown, strict=True)])
            self._arm.advance(moment + self._delay + 1e-9)
            goals.append(self._send(goal))
        robot, position = self._robot, np.array(positions)
        header = Header(robot.name, robot.names, "c0ffee", "2025-01-01T00:00:00", motion.hz, robot.gains, motion.blocks)
        zeros = np.zeros_like(position)
        return Recording(header, time, np.array(goals), position, zeros, zeros, zeros, zeros + robot.supply)

    def _send(self, goal: FloatArray) -> list[float]:
        ticks = [joint.ticks(each) for joint, each in zip(self._joints, goal.tolist(), strict=True)]
        for servo, tick in zip(self._arm.servos, ticks, strict=True):
            servo.memory["goal_position"], servo.memory["torque_enable"] = tick, 1
            servo.drive.reload()
        return [joint.radians(tick) for joint, tick in zip(self._joints, ticks, strict=True)]


class Found(NamedTuple):
    """What the fit says, and its error on held-out motion."""

    joints: tuple[JointFit, ...]
    after: FloatArray


def identified(name: str, delay: float) -> Found:
    robot = described(name)
    assert robot.model is not None
    recording, model = Bench(robot, delay).recorded(motion_of(robot)), ModelFile(robot.model, robot.names)
    with Simulation(model.model, model.servos, recording, threads=1) as simulation:
        joints = fit(simulation, recording, model.parameters, lambda _: None)
        return Found(joints, tracking_error(simulation, recording, np.stack([each.fitted for each in joints])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "delay", "slew", "torque", "friction"),
    [
        # An STS3215 moves its goal at 4.7 rad/s, and so takes some ms over each of the steps that goals come in.
        ("so101", 0.006, 0.004, 0.03, 0.15),
        # A model's implicit damping adds damping x timestep to the inertia, by which all torques are measured where
        # there is no gravity: a fifth of what a wrist has.
        ("light", 0.002, 0.0, 0.25, 0.5),
    ],
)
def test_delay_backlash_friction_damping_and_gain_of_a_virtual_arm_are_found(name, delay, slew, torque, friction):
    found = identified(name, delay)
    assert (found.after < 0.0011).all()
    for own in found.joints:
        prior, named = dict(zip(NAMES, own.prior, strict=True)), dict(zip(NAMES, own.fitted, strict=True))
        assert own.kept == ()
        assert named["backlash"] == pytest.approx(BACKLASH, abs=0.0017)
        assert named["delay"] == pytest.approx(delay + slew, abs=0.0025)
        assert named["kp"] == pytest.approx(prior["kp"], rel=torque)
        assert named["damping"] == pytest.approx(prior["damping"], rel=torque)
        assert named["frictionloss"] == pytest.approx(prior["frictionloss"], rel=friction)
