"""What the twin and the real arm have in common as `RobotEnv`s of the reach task."""

from __future__ import annotations

import abc

import numpy as np

from hardware.description import RobotDescription
from hardware.reach import CONTROL_HZ, HORIZON, MOVED, OBSERVATION_SIZE, Reach
from porl_robot.command import Command, CommandSpace, FloatArray, RobotState, Verdict
from porl_robot.env import Outcome, RobotEnv, box
from porl_robot.errors import UsageError
from porl_robot.kinematics import ArmKinematics
from porl_robot.safety import JointLimits, joint_chain


class ReachEnv(RobotEnv):
    """The task at 20 Hz, -1 per step and 0 on success, which terminates. How the arm is moved is left open.

    Args:
        robot: the arm.
        ranges: lower and upper end of every joint's range, each of shape (n,) [rad]; None takes the model's.
        speed: share of the arm's velocity, acceleration and jerk limits that may be used, in (0, 1].

    Attributes:
        kinematics: of the arm.
        task: what is to be done.
        goal: of this episode, shape (3,) [m].

    Raises:
        UserError: the arm has no model, or one that does not suit it.
    """

    name = "serial_reach"
    control_hz = CONTROL_HZ
    horizon = HORIZON
    command_space = CommandSpace.JOINT_TARGET

    def __init__(
        self, robot: RobotDescription, ranges: tuple[FloatArray, FloatArray] | None = None, speed: float = 1.0
    ) -> None:
        if not 0.0 < speed <= 1.0:
            raise ValueError(f"speed {speed} is outside (0, 1]")
        self.kinematics = kinematics_of(robot)
        self.task = Reach(self.kinematics, *(ranges or (self.kinematics.lower, self.kinematics.upper)))
        self.goal: FloatArray = np.zeros(3)
        self.observation_space = box(-np.inf, np.inf, OBSERVATION_SIZE)
        self.action_space = box(-1.0, 1.0, MOVED)
        every = np.ones(len(self.kinematics.names))
        self.limits = JointLimits(
            names=self.kinematics.names,
            lower=self.task.lower,
            upper=self.task.upper,
            velocity=speed * robot.velocity * every,
            acceleration=speed * robot.acceleration * every,
            jerk=speed * robot.jerk * every,
        )
        self.safety = joint_chain(self.limits)

    @abc.abstractmethod
    def _move_to(self, pose: FloatArray) -> None:
        """Brings the arm to rest at `pose` (n,), commanded there."""

    def _begin_episode(self, seed: int | None) -> None:
        pose = self.task.start(self.np_random)
        self.goal = self.task.goal(self.np_random)
        self._move_to(pose)

    def _command(self, action: FloatArray) -> Command:
        state = self.robot_state()
        commanded = state.commanded.values
        if np.isfinite(action).all():
            return Command.at_rest(self.command_space, self.task.target(action, state.position, commanded))
        # Clipping would turn infinity into a command: the chain has to see it.
        refused = commanded.copy()
        refused[:MOVED] += action
        return Command.at_rest(self.command_space, refused)

    def _executed(self, action: FloatArray, verdict: Verdict, before: RobotState) -> FloatArray:
        # Lead and range are part of what an action means here; only the chain counts as a change.
        if not verdict.interventions:
            return np.clip(action, -1.0, 1.0)
        return self.task.action(before.commanded.values, verdict.command.values)

    def _observe(self) -> FloatArray:
        self._seen = self.robot_state()
        seen = self._seen
        return self.task.observe(seen.position, seen.velocity, seen.commanded.values, self.goal).astype(np.float32)

    def _outcome(self) -> Outcome:
        # Of the same reading as the observation: a real arm has moved on meanwhile.
        success = self.task.success(self._seen.position, self.goal)
        return Outcome(0.0 if success else -1.0, terminated=success, success=success)


def kinematics_of(robot: RobotDescription) -> ArmKinematics:
    """The kinematics of `robot`, by its model.

    Raises:
        UserError: there is no model, or its joints are others.
    """
    if robot.model is None:
        raise UsageError(f"robot={robot.name}: has no model (robot.model), which the reach task needs; so101 has one")
    arm = ArmKinematics(robot.model)
    if arm.names != robot.names:
        raise UsageError(
            f"robot={robot.name}: its joints are {', '.join(robot.names)}, those of {robot.model} "
            f"{', '.join(arm.names)}; expected the same, in the same order"
        )
    return arm
