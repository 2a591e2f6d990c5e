"""What a virtual arm was given comes back from how its encoders say it moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np
import pytest

from hardware.calibration import load_calibration
from hardware.description import RobotDescription
from porl_robot.command import FloatArray
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
from sim.virtual_arm.body import Body
from sim.virtual_arm.eprom import calibrated
from sim.virtual_arm.motor import Motor

from ...arms import described

BACKLASH = 0.01  # rad
GEAR_PLAY = 0.0175  # rad


def motion_of(robot: RobotDescription) -> Excitation:
    assert robot.model is not None
    arm, ones = ArmKinematics(robot.model), np.ones(len(robot.names))
    rates = (robot.velocity * ones, robot.acceleration * ones, robot.jerk * ones)
    return excitation(JointLimits(robot.names, *arm.workspace, *rates), robot.bus_hz, seed=0)


class LooseBody(Body):
    """Every motor turns its link, and the encoder on it, through gears with a free play of `GEAR_PLAY`."""

    def __init__(self, path: Path, names: tuple[str, ...], motors: Sequence[Motor]) -> None:
        spec = mujoco.MjSpec.from_file(str(path))
        rest = dict(zip([joint.name for joint in spec.joints], spec.key("rest").qpos, strict=True))
        spec.delete(spec.key("rest"))
        for name in names:
            motor = spec.joint(name)
            free = {"damping": [0.002, 0, 0], "frictionloss": 0.0, "armature": 1e-4, "solref_limit": [0.006, 1]}
            reach = [-GEAR_PLAY / 2, GEAR_PLAY / 2]
            motor.parent.add_joint(name=f"{name}_play", axis=motor.axis, pos=motor.pos, limited=1, range=reach, **free)
        super().__init__(spec.compile(), names, motors)
        plays = [self.model.joint(f"{name}_play") for name in names]
        self._play = [int(play.qposadr[0]) for play in plays], [int(play.dofadr[0]) for play in plays]
        for name, angle in rest.items():
            self.data.qpos[self.model.joint(name).qposadr[0]] = angle
        mujoco.mj_forward(self.model, self.data)

    def position(self) -> list[float]:
        return list(np.add(super().position(), self.data.qpos[self._play[0]]))

    def velocity(self) -> list[float]:
        return list(np.add(super().velocity(), self.data.qvel[self._play[1]]))


class Bench:
    """A virtual arm without a wire. Its servos get every goal `delay` [s], in whole physics steps, after it is sent."""

    def __init__(self, robot: RobotDescription, delay: float, backlash: float) -> None:
        calibration = load_calibration(data_dir("calibration") / f"virtual-{robot.name}.json")
        kept = calibrated(robot, calibration)
        self._arm = VirtualArm(robot, calibration, kept, save=lambda: None, backlash=backlash)
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


def identified(name: str, delay: float, backlash: float) -> Found:
    robot = described(name)
    assert robot.model is not None
    recording, model = Bench(robot, delay, backlash).recorded(motion_of(robot)), ModelFile(robot.model, robot.names)
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
    found = identified(name, delay, BACKLASH)
    assert (found.after < 0.0011).all()
    for own in found.joints:
        prior, named = dict(zip(NAMES, own.prior, strict=True)), dict(zip(NAMES, own.fitted, strict=True))
        assert own.kept == ()
        assert named["backlash"] == pytest.approx(BACKLASH, abs=0.0017)
        assert named["delay"] == pytest.approx(delay + slew, abs=0.0025)
        assert named["kp"] == pytest.approx(prior["kp"], rel=torque)
        assert named["damping"] == pytest.approx(prior["damping"], rel=torque)
        assert named["frictionloss"] == pytest.approx(prior["frictionloss"], rel=friction)


@pytest.mark.slow
def test_play_between_motor_and_encoder_is_not_taken_for_backlash_and_shows_in_the_error(monkeypatch):
    """The servo closes its loop behind that play and crosses it at every reversal: late, but not short of the goal."""

    def loose(robot, motors):
        return LooseBody(robot.model, robot.names, motors)

    monkeypatch.setattr("sim.virtual_arm.arm.body_of", loose)
    found = identified("so101", delay=0.0, backlash=0.0)
    assert all(own.fitted[NAMES.index("backlash")] < 0.001 for own in found.joints)
    assert (found.after > 0.002).all()
