"""Scripted experts for the training arm, with knobs that make them worse.

Each moves the tool towards a waypoint by damped least squares on the tool's Jacobian, with one more row that keeps
the gripper pointing down.
"""

from __future__ import annotations

import abc
import math

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.kinematics import damped_step
from porl_robot.skill import Skill
from sim.arm_env import INCREMENT, ArmEnv
from sim.arm_tasks import FINGER_CLOSED, FINGER_OPEN, Lift, Push, Reach

_GAIN = 0.7
_DAMPING = 1e-5
_LONGEST_STEP = 0.03


class ArmDemonstrator(abc.ABC):
    """A scripted expert in `env`; the other arguments are those of `porl_robot.skill.Skill`."""

    down_weight = 0.1
    """Weight of keeping the gripper down against bringing the tool to its waypoint."""

    def __init__(self, env: ArmEnv, bias: float, noise: float, p_random: float) -> None:
        self._env = env
        self._physics = env.physics
        self._skill = Skill(bias, noise, p_random)

    def begin(self, rng: np.random.Generator) -> None:
        self._skill.begin(rng)
        self._stage = 0
        self._waited = 0

    def act(self) -> FloatArray:
        """The next action, shape (A,), within +-0.97."""
        return self._skill.spoiled(self._skilled())

    @abc.abstractmethod
    def _skilled(self) -> FloatArray:
        """The undisturbed action."""

    def _towards(self, waypoint: FloatArray) -> FloatArray:
        """Action of the first four joints that brings the tool nearer to `waypoint` (3,)."""
        error = waypoint + self._skill.offset - self._physics.tool()
        error *= min(1.0, _LONGEST_STEP / max(float(np.linalg.norm(error)), 1e-9))
        joints = self._physics.joint_position()
        jacobian = np.vstack([self._physics.tool_jacobian()[:, :4], self.down_weight * np.array([0.0, 1.0, 1.0, 1.0])])
        wanted = np.append(error, -self.down_weight * joints[1:4].sum())
        return _GAIN * damped_step(jacobian, wanted, _DAMPING) / INCREMENT[:4]

    def _near(self, waypoint: FloatArray, tolerance: float, axes: slice = slice(0, 3)) -> bool:
        gap = waypoint + self._skill.offset - self._physics.tool()
        return float(np.linalg.norm(gap[axes])) < tolerance


class ReachDemonstrator(ArmDemonstrator):
    """Goes straight to the goal, tilting the gripper where the goal is out of reach otherwise."""

    down_weight = 0.02

    def _skilled(self) -> FloatArray:
        assert isinstance(self._env.task, Reach)
        return self._towards(self._env.task.goal)


class PushDemonstrator(ArmDemonstrator):
    """Lowers the closed tool behind the cube and drives it through the goal."""

    def _skilled(self) -> FloatArray:
        assert isinstance(self._env.task, Push)
        cube, goal = self._physics.cube(), self._env.task.goal
        heading = self._env.task.heading(cube)
        behind = np.append(cube[:2] - 0.045 * heading, 0.02)
        above = behind + np.array([0.0, 0.0, 0.05])
        if self._stage == 0 and self._near(above, 0.012):
            self._stage = 1
        if self._stage == 1 and self._near(behind, 0.010):
            self._stage = 2
        if self._stage < 2:
            return self._towards((above, behind)[self._stage])
        return self._towards(np.append(goal[:2] + 0.005 * heading, 0.02))


class LiftDemonstrator(ArmDemonstrator):
    """Hovers over the cube, descends, closes, waits and raises."""

    def _skilled(self) -> FloatArray:
        assert isinstance(self._env.task, Lift)
        cube = self._physics.cube()
        if self._stage == 0 and self._near(cube, 0.008, slice(0, 2)):
            self._stage = 1
        grasp = np.array([cube[0], cube[1], 0.016])
        if self._stage == 1 and self._near(grasp, 0.008):
            self._stage = 2
        if self._stage == 2:
            self._waited += 1
            if self._waited > 6:
                self._stage = 3
                self._raise_from = self._physics.tool() - self._skill.offset
        waypoint = (cube + np.array([0.0, 0.0, 0.06]), grasp, grasp)[min(self._stage, 2)]
        if self._stage == 3:
            waypoint = self._raise_from + np.array([0.0, 0.0, 0.09])
        finger = FINGER_OPEN if self._stage < 2 else FINGER_CLOSED
        return np.concatenate([self._towards(waypoint), [self._align(), self._finger_action(finger)]])

    def _align(self) -> float:
        joints = self._physics.joint_position()
        angle = wrap_quarter_turn(self._physics.cube_yaw() - joints[0] - joints[4])
        return 0.3 * angle / float(INCREMENT[4])

    def _finger_action(self, opening: float) -> float:
        return float((opening - self._env.target[5]) / INCREMENT[5])


def wrap_quarter_turn(angle: float) -> float:
    """`angle` [rad] wrapped to +-45 degrees: a cube looks the same after a quarter turn."""
    return (angle + math.pi / 4) % (math.pi / 2) - math.pi / 4
