"""Registered gymnasium tasks with continuous actions, those of gymnasium-robotics included."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import gymnasium
import gymnasium.error
import numpy as np
from gymnasium import spaces

from porl_robot.command import CommandSpace, FloatArray, RobotState, SafetyChain
from porl_robot.env import Outcome, box
from porl_robot.errors import UsageError
from sim.direct import DirectActionEnv
from sim.nearest import unknown
from sim.quiet import quiet

with quiet(), contextlib.redirect_stderr(io.StringIO()):  # it prints news of its releases
    import gymnasium_robotics

gymnasium.register_envs(gymnasium_robotics)

SUCCESS_KEYS = ("is_success", "success")


class GymnasiumEnv(DirectActionEnv):
    """A registered task; its reward, `terminated` and `truncated` are passed on unchanged.

    Observations: `gymnasium.spaces.flatten`, which takes the entries of a `Dict` by name in alphabetical order (for
    goal tasks: achieved goal, desired goal, observation). Actions: [-1, 1] is mapped linearly onto the task's bounds.

    Success is the step's `is_success` or `success` in the task's info. It does not end the episode unless the task
    itself does: a Fetch or hand episode goes on to its time limit, and success can be lost again.

    Attributes:
        control_hz: from the task's `dt`; where it has none, the rate it is to be shown at.
        has_success: whether the task's info tells success.
    """

    command_space = CommandSpace.RAW
    reward_bounds = None

    def __init__(self, id: str, safety: SafetyChain | None = None) -> None:
        """
        Raises:
            UsageError: there is no such task here, it has no time limit, its actions are discrete or unbounded, or its
                observations cannot be flattened.
        """
        self._task = _make(id)
        self.name = f"gymnasium/{id}"
        self.horizon = _horizon(self._task, id)
        self.control_hz = _control_hz(self._task.unwrapped)
        self._actions = _bounded(self._task.action_space, id)
        observations = spaces.flatten_space(self._task.observation_space)
        if not isinstance(observations, spaces.Box):
            raise UsageError(f"gymnasium task {id!r} has observations of varying size")
        self._middle = (self._actions.high + self._actions.low) / 2.0
        self._half_range = (self._actions.high - self._actions.low) / 2.0
        size = self._middle.size
        self.observation_space = box(-np.inf, np.inf, int(np.prod(observations.shape)))
        self._take_actions(size, safety)
        self._begin_episode(0)
        self._wait_for_tick()  # some tasks tell success only after a step
        self.has_success = self._success() is not None

    def robot_state(self) -> RobotState:
        """No joints: a gymnasium task does not tell which of its numbers are joints."""
        none = np.zeros(0)
        return RobotState(none, none, self._last, self._now())

    def close(self) -> None:
        """Frees the simulation."""
        self._task.close()

    def _begin_episode(self, seed: int | None) -> None:
        with quiet():
            self._observation, self._info = self._task.reset(seed=int(self.np_random.integers(2**31)))
        self._last = self._idle

    def _wait_for_tick(self) -> None:
        flat = self._middle + self._half_range * self._last.values.reshape(self._middle.shape)
        action = flat.astype(self._actions.dtype)
        self._observation, reward, self._terminated, self._truncated, self._info = self._task.step(action)
        self._reward = float(reward)

    def _observe(self) -> FloatArray:
        flat = spaces.flatten(self._task.observation_space, self._observation)
        return np.asarray(flat, dtype=np.float32)

    def _outcome(self) -> Outcome:
        return Outcome(
            self._reward,
            bool(self._terminated),
            self._success(),
            truncated=bool(self._truncated and not self._terminated),
        )

    def _success(self) -> bool | None:
        for key in SUCCESS_KEYS:
            if key in self._info:
                return bool(self._info[key])
        return None


def _make(id: str) -> gymnasium.Env[Any, Any]:
    if id not in gymnasium.registry:
        raise unknown("gymnasium task", id, gymnasium.registry)
    try:
        with quiet():
            return gymnasium.make(id, disable_env_checker=True)
    except (gymnasium.error.Error, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"gymnasium task {id!r} cannot be made here: {reason}") from error


def _horizon(task: gymnasium.Env[Any, Any], id: str) -> int:
    limit = task.spec.max_episode_steps if task.spec else None
    if limit is None:
        raise UsageError(f"gymnasium task {id!r} has no time limit, so its episodes need not end")
    return limit


def _control_hz(task: gymnasium.Env[Any, Any]) -> float:
    period = getattr(task, "dt", None)
    return 1.0 / period if period else float(task.metadata["render_fps"])


def _bounded(space: spaces.Space[Any], id: str) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise UsageError(f"gymnasium task {id!r} has discrete actions; continuous ones are needed")
    if not space.is_bounded():
        raise UsageError(f"gymnasium task {id!r} has actions without bounds, so they cannot be scaled")
    return space
