"""Every task of the DeepMind Control Suite behind the common interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from porl_robot.command import CommandSpace, FloatArray, RobotState, SafetyChain
from porl_robot.env import Outcome, box
from porl_robot.errors import UsageError
from sim.direct import DirectActionEnv
from sim.nearest import unknown
from sim.quiet import quiet

with quiet("absl"):
    # Without a display its window library warns while it is imported.
    from dm_control import suite

LARGEST_BOUND = 1e6  # an action bound beyond it is a stand-in for "none"


class DmControlEnv(DirectActionEnv):
    """A suite task, known by its return: rewards lie in [0, 1] and there is no success.

    Observations: every array of the task's observation in its own order, flattened; scalars count as one number.
    Actions: [-1, 1] is mapped linearly onto the range of each actuator.
    """

    command_space = CommandSpace.RAW
    reward_bounds = (0.0, 1.0)
    has_success = False

    def __init__(self, domain: str, task: str, safety: SafetyChain | None = None) -> None:
        """
        Raises:
            UsageError: there is no such task, or it has no time limit or no action bounds.
        """
        names = [f"{known_domain}/{known_task}" for known_domain, known_task in suite.ALL_TASKS]
        if f"{domain}/{task}" not in names:
            raise unknown("dm_control task", f"{domain}/{task}", names)
        with quiet("absl"):
            self._suite: Any = suite.load(domain, task, task_kwargs={"random": 0})
            self._time_step = self._suite.reset()
        limits = self._suite.action_spec()
        unbounded = np.any(np.abs([limits.minimum, limits.maximum]) > LARGEST_BOUND)
        if unbounded or not np.isfinite(self._suite._step_limit):
            raise UsageError(f"dm_control task '{domain}/{task}' has no action bounds or no time limit")
        self.name = f"dm_control/{domain}-{task}"
        self.control_hz = 1.0 / self._suite.control_timestep()
        self.horizon = round(self._suite._step_limit)
        self._middle = (limits.maximum + limits.minimum) / 2
        self._half_range = (limits.maximum - limits.minimum) / 2
        size = self._middle.size
        self.observation_space = box(-np.inf, np.inf, self._observe().size)
        self._take_actions(size, safety)

    def robot_state(self) -> RobotState:
        """All generalised positions and velocities; the suite does not tell robot and objects apart."""
        data = self._suite.physics.data
        return RobotState(data.qpos.copy(), data.qvel.copy(), self._last, self._now())

    def close(self) -> None:
        """Frees the simulation."""
        self._suite.close()

    def _begin_episode(self, seed: int | None) -> None:
        self._suite.task._random = np.random.RandomState(int(self.np_random.integers(2**32)))
        self._time_step = self._suite.reset()
        self._last = self._idle

    def _wait_for_tick(self) -> None:
        self._time_step = self._suite.step(self._middle + self._half_range * self._last.values)

    def _observe(self) -> FloatArray:
        parts = [np.ravel(part) for part in self._time_step.observation.values()]
        return np.concatenate(parts).astype(np.float32)

    def _outcome(self) -> Outcome:
        ended = self._time_step.last()
        terminated = ended and self._time_step.discount == 0.0
        return Outcome(float(self._time_step.reward), terminated, None, truncated=ended and not terminated)
