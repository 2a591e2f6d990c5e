"""A scripted expert for the reach task, on the twin and on the real arm: it knows what a bus can tell, and the goal."""

from __future__ import annotations

import numpy as np

from hardware.reach import INCREMENT, MOVED
from hardware.reach_env import ReachEnv
from porl_robot.command import FloatArray
from porl_robot.kinematics import damped_step
from porl_robot.skill import Skill

_GAIN = 0.5
_DAMPING = 1e-3
_LONGEST_STEP = 0.04  # [m]


class ReachDemonstrator:
    """Goes straight to the goal by inverse kinematics; the arguments are those of `porl_robot.skill.Skill`."""

    def __init__(self, env: ReachEnv, bias: float, noise: float, p_random: float) -> None:
        self._env = env
        self._skill = Skill(bias, noise, p_random)

    def begin(self, rng: np.random.Generator) -> None:
        self._skill.begin(rng)

    def act(self) -> FloatArray:
        """The next action, shape (4,), within +-0.97."""
        return self._skill.spoiled(self._towards(self._env.goal + self._skill.offset))

    def _towards(self, waypoint: FloatArray) -> FloatArray:
        arm, position = self._env.kinematics, self._env.robot_state().position
        error = waypoint - arm.tool_position(position)
        error *= min(1.0, _LONGEST_STEP / max(float(np.linalg.norm(error)), 1e-9))
        jacobian = arm.tool_jacobian(position)[:3, :MOVED]
        return _GAIN * damped_step(jacobian, error, _DAMPING) / INCREMENT
