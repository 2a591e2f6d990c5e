"""The tasks of the training arm: start of an episode, observation, success. Reward and clock are the env's."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from porl_robot.command import FloatArray
from sim.arm_model import CUBE_HALF_SIZE
from sim.arm_physics import ArmPhysics

FINGER_OPEN = 0.035
FINGER_CLOSED = 0.004
_CLOSE = 0.03  # from the centre of the cube to a tool that is about to touch it, as it does at .02 [m]
_FINE = 0.01  # where fine numbers leave their linear range [m]
_AWAY = np.array([-0.3, 0.0, CUBE_HALF_SIZE])


class ArmTask(Protocol):
    """One task: `joints` says how many leading joints of the arm it commands."""

    name: str
    horizon: int
    joints: int
    observation_size: int

    def begin(self, physics: ArmPhysics, rng: np.random.Generator) -> None:
        """Draws a start state and places arm and objects."""

    def observe(self, physics: ArmPhysics, target: FloatArray) -> FloatArray:
        """The observation; `target` is the commanded joint target, shape (6,)."""

    def success(self, physics: ArmPhysics) -> bool:
        """Whether the task is done now."""


class Reach:
    """Bring the tool within 12 mm of a random point, at any speed."""

    name = "arm_reach"
    horizon = 50
    joints = 4
    observation_size = 18

    def begin(self, physics: ArmPhysics, rng: np.random.Generator) -> None:
        physics.place(_start_pose(rng, FINGER_CLOSED), _AWAY, 0.0)
        radius, angle = rng.uniform(0.13, 0.27), rng.uniform(-1.0, 1.0)
        self.goal = np.array([*_polar(radius, angle), rng.uniform(0.03, 0.16)])
        physics.show_goal(self.goal)

    def observe(self, physics: ArmPhysics, target: FloatArray) -> FloatArray:
        tool = physics.tool()
        return np.concatenate([_joint_terms(physics, target, self.joints), 5 * tool, 10 * (self.goal - tool)])

    def success(self, physics: ArmPhysics) -> bool:
        return float(np.linalg.norm(physics.tool() - self.goal)) < 0.012


class Push:
    """Push the cube over the table to a goal 6-10 cm away.

    The observation ends with where the tool is, seen from the cube along the way to the goal and across it, the last
    centimetre finer as well: what keeps a cube in front of the tool is lost among the other numbers.
    """

    name = "arm_push"
    horizon = 80
    joints = 4
    observation_size = 30

    def begin(self, physics: ArmPhysics, rng: np.random.Generator) -> None:
        cube, angle = _place_cube(physics, _start_pose(rng, FINGER_CLOSED), rng)
        heading = angle + rng.uniform(-0.6, 0.6)
        step = _polar(rng.uniform(0.06, 0.10), heading)
        self.goal = np.array([cube[0] + step[0], cube[1] + step[1], CUBE_HALF_SIZE])
        physics.show_goal(self.goal)

    def observe(self, physics: ArmPhysics, target: FloatArray) -> FloatArray:
        tool, cube = physics.tool(), physics.cube()
        return np.concatenate(
            [
                _joint_terms(physics, target, self.joints),
                5 * tool,
                10 * (cube - tool),
                10 * (self.goal - cube)[:2],
                physics.cube_quaternion(),
                physics.cube_velocity()[:2],
                self._behind(tool, cube),
            ]
        )

    def heading(self, cube: FloatArray) -> FloatArray:
        """Direction (2,) on the table from `cube` (3,) to the goal, of length 1; 0 where the cube is there."""
        way: FloatArray = (self.goal - cube)[:2]
        return way / max(float(np.linalg.norm(way)), 1e-9)

    def _behind(self, tool: FloatArray, cube: FloatArray) -> FloatArray:
        """The tool's place along and across the way from cube to goal, coarsely and finely. Shape (4,)."""
        way, gap = self.heading(cube), (tool - cube)[:2]
        along, across = way @ gap, way[0] * gap[1] - way[1] * gap[0]
        return np.array([10 * along, 10 * across, math.tanh((along + _CLOSE) / _FINE), math.tanh(across / _FINE)])

    def success(self, physics: ArmPhysics) -> bool:
        return float(np.linalg.norm((physics.cube() - self.goal)[:2])) < 0.025


class Lift:
    """Grasp the cube and lift its centre above 6 cm."""

    name = "arm_lift"
    horizon = 80
    joints = 6
    observation_size = 28

    def begin(self, physics: ArmPhysics, rng: np.random.Generator) -> None:
        cube, _ = _place_cube(physics, _start_pose(rng, FINGER_OPEN), rng)
        physics.show_goal(np.array([cube[0], cube[1], 0.06]))

    def observe(self, physics: ArmPhysics, target: FloatArray) -> FloatArray:
        tool, cube = physics.tool(), physics.cube()
        finger = physics.joint_position()[5]
        return np.concatenate(
            [
                _joint_terms(physics, target, 5),
                [30 * finger, 30 * (target[5] - finger)],
                5 * tool,
                10 * (cube - tool),
                [20 * cube[2]],
                physics.cube_quaternion(),
            ]
        )

    def success(self, physics: ArmPhysics) -> bool:
        return bool(physics.cube()[2] > 0.06)


def _start_pose(rng: np.random.Generator, finger: float) -> FloatArray:
    spread = np.array([0.4, 0.15, 0.15, 0.15, 0.05])
    return np.append(rng.uniform(-spread, spread), finger)


def _place_cube(physics: ArmPhysics, pose: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """Cube centre (3,) and the angle of the ray from the base to it."""
    radius, angle = rng.uniform(0.15, 0.23), rng.uniform(-0.5, 0.5)
    cube = np.array([*_polar(radius, angle), CUBE_HALF_SIZE])
    physics.place(pose, cube, angle + rng.uniform(-0.15, 0.15))
    return cube, angle


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return radius * math.cos(angle), radius * math.sin(angle)


def _joint_terms(physics: ArmPhysics, target: FloatArray, joints: int) -> FloatArray:
    position = physics.joint_position()[:joints]
    velocity = physics.joint_velocity()[:joints]
    return np.concatenate([position, 0.2 * velocity, target[:joints] - position])
