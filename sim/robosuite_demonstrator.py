"""Scripted demonstrators for robosuite tasks, and how to make them worse.

All walk through phases towards targets given in the world frame. Three knobs degrade them: `bias`, a constant offset of
the targets drawn per episode; `noise`, added to every action; `p_random`, the chance per step to do something random
for a few steps. Bias is the knob that lowers a cloned policy's success: cloning averages noise away.
"""

from __future__ import annotations

import abc

import numpy as np

from porl_robot.env import FloatArray
from sim.robosuite_env import STEP_SIZE, RobosuiteEnv
from sim.robosuite_scene import Vector
from sim.robosuite_tasks import cube_position

ACTION_LIMIT = 0.97  # keeps the inverse of tanh small for a policy that clones
GAIN = 1.5
BIAS_SCALE = np.array([1.0, 1.0, 0.4])  # heights are reached blindly more often than sideways offsets
OPEN, CLOSE = -1.0, 1.0


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
        if self._phase == 0 and np.linalg.norm((hover - hand)[:2]) < 0.012:
            self._next_phase()
        if self._phase == 1 and np.linalg.norm(grasp - hand) < 0.012:
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
