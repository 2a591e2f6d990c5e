"""Scripted demonstrators for robosuite tasks, and how to make them worse.

All walk through phases towards targets given in the world frame. Three knobs degrade them: `bias`, a constant offset of
the targets drawn per episode; `noise`, added to every action; `p_random`, the chance per step to do something random
for a few steps. Bias is the knob that lowers a cloned policy's success: cloning averages noise away.
"""

from __future__ import annotations

import abc

import numpy as np
from scipy.spatial.transform import Rotation

from porl_robot.env import FloatArray
from sim.robosuite_env import STEP_SIZE, TURN_SIZE, RobosuiteEnv
from sim.robosuite_scene import Vector
from sim.robosuite_tasks import (
    can_goal,
    can_position,
    cube_position,
    nut_handle,
    nut_position,
    peg_position,
)

ACTION_LIMIT = 0.97  # keeps the inverse of tanh small for a policy that clones
GAIN = 1.5
BIAS_SCALE = np.array([1.0, 1.0, 0.4])  # heights are reached blindly more often than sideways offsets
OPEN, CLOSE = -1.0, 1.0
NEAR = 0.012  # [m]
NUT_HEIGHT = 1.05  # of the hand; a nut below it clears the peg [m]
ON_PEG = 0.86  # height of a nut that cannot leave the peg any more [m]
ALIGNED = 0.05  # [rad]
POINTING_DOWN = Rotation.from_euler("x", np.pi)
CARRY_HEIGHT = 1.02  # of the hand; the rims of the bins and what it carries stay below [m]


class ScriptedDemonstrator(abc.ABC):
    """Degrades what `_intend` wants to do. A subclass is one task's script."""

    def __init__(self, env: RobosuiteEnv, bias: float, noise: float, p_random: float) -> None:
        """`bias`: standard deviation of the targets' offset per episode [m], .4 of it in height. `noise`: standard
        deviation of the action. `p_random`: chance per step to begin holding a random action for 3 to 7 steps.
        """
        self._scene = env.scene
        self._size = env.action_space.shape[0]
        self._bias, self._noise, self._p_random = bias, noise, p_random

    def begin(self, rng: np.random.Generator) -> None:
        """Draws the episode's bias."""
        self._rng = rng
        self._offset: Vector = rng.normal(0.0, 1.0, 3) * self._bias * BIAS_SCALE
        self._random_action: FloatArray = np.zeros(self._size)
        self._random_steps = 0
        self._phase = 0
        self._waited = 0

    def act(self) -> FloatArray:
        """Shape (A,), in [-.97, .97]."""
        wanted = self._intend() + self._noise * self._rng.normal(0.0, 1.0, self._size)
        if self._random_steps == 0 and self._rng.random() < self._p_random:
            self._random_action = self._rng.uniform(-1.0, 1.0, self._size)
            self._random_steps = int(self._rng.integers(3, 8))
        if self._random_steps > 0:
            self._random_steps -= 1
            wanted = self._random_action
        return np.clip(wanted, -ACTION_LIMIT, ACTION_LIMIT)

    @abc.abstractmethod
    def _intend(self) -> FloatArray:
        """The undisturbed action, shape (A,); moves `_phase` on."""

    def _towards(self, target: Vector) -> Vector:
        """Proportional control of the hand, shape (3,). `target` [m] in the world frame."""
        return GAIN * (target - self._scene.eef_position()) / STEP_SIZE

    def _advance_if(self, reached: bool | np.bool_) -> None:
        if reached:
            self._next_phase()

    def _next_phase(self) -> None:
        self._phase += 1
        self._waited = 0

    def _wait(self, steps: int) -> None:
        """Moves on after `steps` calls."""
        self._waited += 1
        if self._waited >= steps:
            self._next_phase()


class LiftDemonstrator(ScriptedDemonstrator):
    """Hovers 8 cm above the cube, descends, closes, raises."""

    def _intend(self) -> FloatArray:
        hand = self._scene.eef_position()
        grasp = cube_position(self._scene) + self._offset
        hover = grasp + [0.0, 0.0, 0.08]
        if self._phase == 0 and np.linalg.norm((hover - hand)[:2]) < NEAR:
            self._next_phase()
        if self._phase == 1 and np.linalg.norm(grasp - hand) < NEAR:
            self._next_phase()
        match self._phase:
            case 0:
                return np.append(self._towards(hover), OPEN)
            case 1:
                return np.append(self._towards(grasp), OPEN)
            case 2:
                self._raised = hand + [0.0, 0.0, 0.10]
                self._wait(5)
                return np.append(np.zeros(3), CLOSE)
            case _:
                return np.append(self._towards(self._raised), CLOSE)


class CanDemonstrator(ScriptedDemonstrator):
    """Grips the can, carries it over the rim of the bins, lets go above its compartment and backs off."""

    def _intend(self) -> FloatArray:
        hand = self._scene.eef_position()
        grasp = can_position(self._scene) + self._offset
        goal = can_goal(self._scene) + self._offset
        match self._phase:
            case 0:
                target = grasp + [0.0, 0.0, 0.10]
                self._advance_if(np.linalg.norm((target - hand)[:2]) < NEAR)
                return np.append(self._towards(target), OPEN)
            case 1:
                self._advance_if(np.linalg.norm(grasp - hand) < NEAR)
                return np.append(self._towards(grasp), OPEN)
            case 2:
                self._wait(6)
                return np.append(np.zeros(3), CLOSE)
            case 3:
                target = np.append(hand[:2], CARRY_HEIGHT)
                self._advance_if(target[2] - hand[2] < NEAR)
                return np.append(self._towards(target), CLOSE)
            case 4:
                target = np.append(goal[:2], CARRY_HEIGHT)
                self._advance_if(np.linalg.norm((target - hand)[:2]) < 0.03)
                return np.append(self._towards(target), CLOSE)
            case 5:
                target = goal + [0.0, 0.0, 0.12]
                self._advance_if(np.linalg.norm(target - hand) < 0.03)
                return np.append(self._towards(target), CLOSE)
            case _:
                return np.append(self._towards(goal + [0.0, 0.0, 0.25]), OPEN)


class SquareDemonstrator(ScriptedDemonstrator):
    """Turns the hand across the nut's handle, grips it, carries the nut over the peg, turns it square and lowers it."""

    def _intend(self) -> FloatArray:
        hand = self._scene.eef_position()
        grasp = nut_handle(self._scene) + self._offset
        # The nut hangs in the hand: what it lacks to the peg, the hand has to move.
        carried = hand + peg_position(self._scene) - nut_position(self._scene) + self._offset
        across, square = self._angles()
        match self._phase:
            case 0:
                target = grasp + [0.0, 0.0, 0.08]
                self._advance_if(
                    np.linalg.norm((target - hand)[:2]) < NEAR and abs(across) < ALIGNED
                )
                return self._action(target, across, OPEN)
            case 1:
                self._advance_if(np.linalg.norm(grasp - hand) < NEAR)
                return self._action(grasp, across, OPEN)
            case 2:
                self._wait(10)
                return self._action(grasp, across, CLOSE)
            case 3:
                target = np.append(hand[:2], NUT_HEIGHT)
                self._advance_if(target[2] - hand[2] < NEAR)
                return self._action(target, square, CLOSE)
            case 4:
                target = np.append(carried[:2], NUT_HEIGHT)
                self._advance_if(
                    np.linalg.norm((target - hand)[:2]) < 0.004 and abs(square) < ALIGNED
                )
                return self._action(target, square, CLOSE)
            case 5:
                target = np.append(carried[:2], hand[2] - 0.03)
                self._advance_if(nut_position(self._scene)[2] < ON_PEG)
                return self._action(target, square, CLOSE)
            case _:
                return self._action(hand + [0.0, 0.0, 0.05], 0.0, OPEN)

    def _angles(self) -> tuple[float, float]:
        """Yaw the hand lacks to lie across the handle, and to bring the nut square with the peg [rad].

        The gripper is symmetric by a half turn and the peg by a quarter.
        """
        nut = _yaw(self._scene.body_quaternion("SquareNut_main"))
        hand = _yaw(self._scene.eef_quaternion())
        return _wrap(nut - hand, np.pi), _wrap(-nut, np.pi / 2)

    def _action(self, target: Vector, turn: float, gripper: float) -> FloatArray:
        """Towards `target` [m], turning by `turn` [rad] about the vertical and otherwise pointing down."""
        hand = Rotation.from_quat(self._scene.eef_quaternion())
        yaw = _yaw(self._scene.eef_quaternion()) + turn
        wanted = Rotation.from_euler("z", yaw) * POINTING_DOWN
        rotation = (wanted * hand.inv()).as_rotvec() / TURN_SIZE
        return np.concatenate([self._towards(target), rotation, [gripper]])


def _yaw(quaternion: Vector) -> float:
    """Direction of a body's x axis in the horizontal plane [rad]. `quaternion`: (x, y, z, w)."""
    axis = Rotation.from_quat(quaternion).apply([1.0, 0.0, 0.0])
    return float(np.arctan2(axis[1], axis[0]))


def _wrap(angle: float, period: float) -> float:
    """The equivalent angle nearest to zero [rad]."""
    return (angle + period / 2) % period - period / 2
