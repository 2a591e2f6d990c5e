"""What robosuite's scripted demonstrators share: walking through phases, and how to be made worse.

A script is a sequence of phases; each aims the hand somewhere until it is through. Three knobs degrade every script:
`bias`, an offset of its targets drawn per try; `noise`, added to every action; `p_random`, the chance per step to
do something random for a few steps. Bias is the knob that lowers a cloned policy's success: cloning averages noise
away. `tries` lets a script begin again when it has lost what it held, so that a clone has seen how that is done.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from porl_robot.command import FloatArray
from porl_robot.skill import require_knobs
from sim.robosuite_env import STEP_SIZE, TURN_SIZE, RobosuiteEnv
from sim.robosuite_scene import Scene, Vector, yaw_of

ACTION_LIMIT = 0.97  # keeps the inverse of tanh small for a policy that clones
GAIN = 1.5
BIAS_SHARES = np.array([1.0, 1.0, 0.4])  # of `bias` in x, y, z
OPEN, CLOSE = -1.0, 1.0
LOST = 0.05  # what is so far from the hand is not in it [m]
POINTING_DOWN = Rotation.from_euler("x", np.pi)


@dataclass(frozen=True)
class Aim:
    """What a phase wants.

    Attributes:
        target: of the hand in the world frame, shape (3,) [m].
        gripper: OPEN or CLOSE.
        reached: the phase is through.
        turn: yaw to be made [rad]; only for tasks that turn the hand, whose x axis is kept level.
        lost: what was to be held is not in the hand any more.
        lean: angle between the fingers and straight down, towards the hand's y axis [rad]; only for tasks that turn it.
    """

    target: Vector
    gripper: float
    reached: bool | np.bool_
    turn: float = 0.0
    lost: bool = False
    lean: float = 0.0


class ScriptedDemonstrator(abc.ABC):
    """Walks through a task's phases, degraded by the three knobs."""

    def __init__(self, env: RobosuiteEnv, bias: float, noise: float, p_random: float, tries: int = 1) -> None:
        """`bias`: standard deviation of the targets' offset per try [m], .4 of it in height. `noise`: standard
        deviation of the action's noise. `p_random`: chance per step to hold a random action for 3 to 7 steps. `tries`:
        how often an episode may begin the script.

        Raises:
            ValueError: as `require_knobs` does, or there is no try.
        """
        require_knobs(bias, noise, p_random)
        if tries < 1:
            raise ValueError(f"tries {tries} must be at least 1")
        self._scene: Scene = env.scene
        self._size = env.action_space.shape[0]
        self._bias, self._noise, self._p_random, self._tries = bias, noise, p_random, tries

    def begin(self, rng: np.random.Generator) -> None:
        """Draws the offset of the first try."""
        self._rng = rng
        self._random_action: FloatArray = np.zeros(self._size)
        self._random_steps = 0
        self._tries_left = self._tries
        self._try()

    def act(self) -> FloatArray:
        """Shape (A,), in [-.97, .97]."""
        action = self._intend() + self._noise * self._rng.normal(0.0, 1.0, self._size)
        if self._random_steps == 0 and self._rng.random() < self._p_random:
            self._random_action = self._rng.uniform(-1.0, 1.0, self._size)
            self._random_steps = int(self._rng.integers(3, 8))
        if self._random_steps > 0:
            self._random_steps -= 1
            action = self._random_action
        return np.clip(action, -ACTION_LIMIT, ACTION_LIMIT)

    @abc.abstractmethod
    def _script(self) -> Sequence[Callable[[], Aim]]:
        """The phases in their order; the last one goes on to the end of the episode."""

    def _try(self) -> None:
        self._tries_left -= 1
        self._offset: Vector = self._rng.normal(0.0, 1.0, 3) * self._bias * BIAS_SHARES
        self._phase = self._phase_steps = 0
        self._grip = self._scene.eef_position()

    def _intend(self) -> FloatArray:
        """The undisturbed action, shape (A,)."""
        phases = self._script()
        aim = phases[self._phase]()
        if aim.lost and self._tries_left:
            self._try()
            aim = phases[0]()
        self._phase_steps += 1
        if aim.reached and self._phase + 1 < len(phases):
            self._phase += 1
            self._phase_steps = 0
            self._grip = self._scene.eef_position()
            aim = phases[self._phase]()
        move = GAIN * (aim.target - self._scene.eef_position()) / STEP_SIZE
        turn = self._turn(aim.turn, aim.lean) if self._size > move.size + 1 else np.zeros(0)
        return np.concatenate([move, turn, [aim.gripper]])

    def _turn(self, yaw: float, lean: float) -> Vector:
        """The rotation action that turns the hand by `yaw` [rad] and leans it by `lean` [rad], shape (3,)."""
        quaternion = self._scene.eef_quaternion()
        wanted = Rotation.from_euler("ZX", [yaw_of(quaternion) + yaw, -lean]) * POINTING_DOWN
        return np.asarray((wanted * Rotation.from_quat(quaternion).inv()).as_rotvec() / TURN_SIZE)

    def _off(self, target: Vector) -> float:
        """Distance of the hand from `target` [m]."""
        return float(np.linalg.norm(target - self._scene.eef_position()))

    def _off_sideways(self, target: Vector) -> float:
        """Horizontal distance of the hand from `target` [m]."""
        return float(np.linalg.norm((target - self._scene.eef_position())[:2]))

    def _lost(self, thing: Vector) -> bool:
        """Whether `thing` [m] is not in the hand."""
        return self._off(thing) > LOST

    def _below(self, target: Vector) -> float:
        """How far the hand is below `target` [m]."""
        return float(target[2] - self._scene.eef_position()[2])


def wrap(angle: float, period: float) -> float:
    """The equivalent angle nearest to zero [rad]."""
    return (angle + period / 2) % period - period / 2
