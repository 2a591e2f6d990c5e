"""The training arm as a `RobotEnv`: actions are increments of the commanded joint target."""

from __future__ import annotations

import numpy as np

from porl_robot.command import Command, CommandSpace, FloatArray, RobotState, Verdict
from porl_robot.env import Outcome, RobotEnv, box
from porl_robot.safety import JointLimits, joint_chain
from sim.arm_model import JOINTS
from sim.arm_physics import ArmPhysics, substeps
from sim.arm_tasks import ArmTask

INCREMENT = np.array([0.1, 0.1, 0.1, 0.1, 0.15, 0.012])
"""What an action of 1 adds to the commanded target in one control period [rad], finger [m]."""

_LEAD = np.array([0.25, 0.25, 0.25, 0.25, 0.25, 0.030])
_CONTROL_HZ = 20.0
# A full increment from rest to rest within one 50 ms period needs v = 2 d/T, a = 16 d/T^2 and j = 32 d/T^3 without
# a plateau: a quarter more than that lets every ordinary command pass.
_VELOCITY = INCREMENT * 2.5 * _CONTROL_HZ
_ACCELERATION = INCREMENT * 20 * _CONTROL_HZ**2
_JERK = INCREMENT * 40 * _CONTROL_HZ**3


class ArmEnv(RobotEnv):
    """One task of the training arm at 20 Hz. Reward -1 per step and 0 on success, which terminates.

    Args:
        task: what is to be done.
        speed: share of the arm's velocity, acceleration and jerk limits that may be used, in (0, 1].
    """

    control_hz = _CONTROL_HZ
    command_space = CommandSpace.JOINT_TARGET

    def __init__(self, task: ArmTask, speed: float = 1.0) -> None:
        if not 0.0 < speed <= 1.0:
            raise ValueError(f"speed {speed} is outside (0, 1]")
        self.physics = ArmPhysics()
        self.task = task
        self.name = task.name
        self.horizon = task.horizon
        self.observation_space = box(-np.inf, np.inf, task.observation_size)
        self.action_space = box(-1.0, 1.0, task.joints)
        self.limits = JointLimits(
            names=JOINTS,
            lower=self.physics.lower,
            upper=self.physics.upper,
            velocity=speed * _VELOCITY,
            acceleration=speed * _ACCELERATION,
            jerk=speed * _JERK,
        )
        self.safety = joint_chain(self.limits)
        self._substeps = substeps(self.control_hz)
        self._commanded = Command.at_rest(self.command_space, self.physics.joint_position())

    @property
    def target(self) -> FloatArray:
        """The commanded joint target now. Shape (6,)."""
        return self._commanded.values

    def robot_state(self) -> RobotState:
        return RobotState(
            position=self.physics.joint_position(),
            velocity=self.physics.joint_velocity(),
            commanded=self._commanded,
            timestamp=self._now(),
            effort=self.physics.joint_effort(),
        )

    def hold(self) -> None:
        measured = self.physics.joint_position()
        self._commanded = Command.at_rest(self.command_space, np.clip(measured, self.limits.lower, self.limits.upper))

    def _begin_episode(self, seed: int | None) -> None:
        self.task.begin(self.physics, self.np_random)
        self._commanded = Command.at_rest(self.command_space, self.physics.joint_position())

    def _command(self, action: FloatArray) -> Command:
        joints = self.task.joints
        values = self.target.copy()
        if not np.isfinite(action).all():
            # Clipping would turn infinity into a command: the chain has to see it.
            values[:joints] += action
            return Command.at_rest(self.command_space, values)
        values[:joints] += INCREMENT[:joints] * np.clip(action, -1.0, 1.0)
        measured = self.physics.joint_position()
        values = measured + np.clip(values - measured, -_LEAD, _LEAD)
        return Command.at_rest(self.command_space, np.clip(values, self.limits.lower, self.limits.upper))

    def _executed(self, action: FloatArray, verdict: Verdict, before: RobotState) -> FloatArray:
        # Lead and range are part of what an action means here; only the chain counts as a change.
        if not verdict.interventions:
            return np.clip(action, -1.0, 1.0)
        joints = self.task.joints
        moved = (verdict.command.values - before.commanded.values)[:joints]
        return np.clip(moved / INCREMENT[:joints], -1.0, 1.0)

    def _send(self, command: Command) -> None:
        self._commanded = command

    def _wait_for_tick(self) -> None:
        self.physics.advance(self.target, self._substeps)

    def _observe(self) -> FloatArray:
        return self.task.observe(self.physics, self.target).astype(np.float32)

    def _outcome(self) -> Outcome:
        success = self.task.success(self.physics)
        return Outcome(0.0 if success else -1.0, terminated=success, success=success)
