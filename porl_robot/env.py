"""The one interface every simulation and every arm stands behind.

`RobotEnv.step` is the only way to move anything: it turns an action into a `Command`, passes the command through the
safety chain, sends what the chain returns, waits for the tick where time is real, and observes. No caller can skip it.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from porl_robot.command import Command, CommandSpace, FloatArray, RobotState, SafetyChain, Verdict
from porl_robot.supervision import Fault, Mark, Supervised


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step brought.

    Attributes:
        reward: of this step.
        terminated: the task ended itself (success or failure): drops the bootstrap. To a learner a failure is then
            worth the smallest return of the task, whatever its reward (`ReplayBuffer`).
        truncated: the episode was cut by the task's own clock: keeps the bootstrap.
        success: None where the task has no notion of success, and where the episode is discarded.
        discarded: the operator wants the episode again; it does not count.
    """

    reward: float
    terminated: bool
    success: bool | None
    truncated: bool = False
    discarded: bool = False


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What `RobotEnv.step` returns under `info["step"]`.

    Attributes:
        success: None where the task has no notion of success, and where the episode is discarded.
        action: shape (A,), the executed action in [-1, 1], after the filters: what a learner trains on.
        verdict: the safety chain's answer.
        fault: why the episode was cut, or None.
        time_tick: when the control period began [s].
        time_observed: when the observation acted on was made [s].
        time_sent: when the command left [s]. All three on the clock of `RobotState.timestamp`.
        discarded: as in `Outcome`.
    """

    success: bool | None
    action: FloatArray
    verdict: Verdict
    fault: str | None
    time_tick: float
    time_observed: float
    time_sent: float
    discarded: bool = False


class RobotEnv(Supervised, gymnasium.Env[FloatArray, FloatArray]):
    """A robot and its task at a fixed control rate.

    An adapter implements the hooks below `close`; the order of a step is fixed here. Observations are one float32
    vector, actions lie in [-1, 1].

    Attributes:
        name: name of the task, as in `env=NAME`.
        control_hz: control rate [1/s].
        horizon: steps after which an episode is truncated.
        command_space: what the safety chain sees.
        reward_bounds: smallest and largest reward of a step, or None where unknown.
        has_success: False where the task knows only returns.
        real_time: True where waiting for the tick takes wall time.
    """

    name: str
    control_hz: float
    horizon: int
    command_space: CommandSpace
    reward_bounds: tuple[float, float] | None = (-1.0, 0.0)
    has_success: bool = True
    real_time: bool = False

    observation_space: spaces.Box[np.floating[Any]]
    action_space: spaces.Box[np.floating[Any]]

    safety: SafetyChain

    _steps = 0
    _ticks = 0
    _ended = True

    @property
    def dt(self) -> float:
        """Control period [s]."""
        return 1.0 / self.control_hz

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Begins an episode. The same `seed` gives the same episode, bit for bit. Observation: shape (D,), float32.

        Raises:
            Halted: nothing may move.
        """
        self._ended = True
        self.attend()
        super().reset(seed=seed)
        self._begin_episode(seed)
        self.attend()
        self._steps = 0
        self._ended = False
        if self.supervisor is not None:
            self.supervisor.begin()
        return self._observe(), {}

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Executes `action` (shape (A,), in [-1, 1]) through the safety chain for one control period.

        Returns:
            observation (D,), reward, terminated, truncated, and an info with a `StepInfo` under "step". A refused
            command, an observation that is not finite, a stop by the operator and a fault of the robot hold it and
            truncate the episode. While the operator pauses, the robot is held and the action is not carried out.

        Raises:
            RuntimeError: the episode has ended or none was begun.
            ValueError: the action has the wrong shape.
        """
        if self._ended:
            raise RuntimeError("step() after the end of an episode: call reset() first")
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape:
            raise ValueError(f"action has shape {action.shape}, expected {self.action_space.shape}")
        state = self.robot_state()
        tick = self._now()
        verdict = self.safety(self._command(action), state, self.dt)
        fault = self._halted() if verdict.fault is None else self._report(Fault(verdict.fault, _CHECK_COMMANDS))
        # Who pauses between the choice of an action and this is not to see it carried out.
        if fault is None and not (self.supervisor is not None and self.supervisor.paused):
            self._send(verdict.command)
            executed = self._executed(action, verdict, state)
        else:
            self.hold()
            executed = np.zeros_like(action)
        sent = self._now()
        self._wait_for_tick()
        self._ticks += 1
        self._steps += 1
        fault = fault or self._held()
        observation, outcome = self._observe(), self._outcome()
        if fault is None and not np.isfinite(observation).all():
            fault = self._report(Fault("the observation is not finite", _CHECK_SENSORS))
            self.hold()
        if fault is None:
            outcome = self._judged(outcome)
        cut = outcome.truncated or fault is not None or self._steps >= self.horizon
        truncated = cut and not outcome.terminated
        self._ended = outcome.terminated or truncated
        if self._ended and self.real_time:
            # Nobody commands until the next reset, however long that takes.
            self.hold()
        if self.supervisor is not None:
            reasons = [f"{each.filter}: {each.reason}" for each in verdict.interventions]
            self.supervisor.saw(self._steps, reasons, self._ended, outcome.success if fault is None else None)
        info = StepInfo(outcome.success, executed, verdict, fault, tick, state.timestamp, sent, outcome.discarded)
        return observation, outcome.reward, outcome.terminated, truncated, {"step": info}

    @abc.abstractmethod
    def robot_state(self) -> RobotState:
        """The robot now."""

    def close(self) -> None:
        """Leaves the robot safe and frees what the env holds. May be called twice."""

    @abc.abstractmethod
    def _begin_episode(self, seed: int | None) -> None:
        """Puts robot and task into a start state drawn from `self.np_random`.

        A robot that has to move there calls `attend` in every control period of the motion.
        """

    @abc.abstractmethod
    def _command(self, action: FloatArray) -> Command:
        """The command that `action` (shape (A,)) asks for in the present state; may hold non-finite values."""

    def _executed(self, action: FloatArray, verdict: Verdict, before: RobotState) -> FloatArray:
        """The action in [-1, 1] that would have asked for the command that was sent. Shape (A,).

        Outside joint space a command is the action itself.
        """
        return np.clip(verdict.command.values, -1.0, 1.0)

    @abc.abstractmethod
    def _send(self, command: Command) -> None:
        """Sends `command`."""

    @abc.abstractmethod
    def _wait_for_tick(self) -> None:
        """Lets one control period pass: a simulation advances, a real robot waits, by `_sleep` where it can.

        A period that began late, as after a pause, is a whole one all the same.
        """

    @abc.abstractmethod
    def _observe(self) -> FloatArray:
        """The observation now. Shape (D,), float32."""

    @abc.abstractmethod
    def _outcome(self) -> Outcome:
        """What the last control period brought."""

    def _now(self) -> float:
        """The clock of the log [s]: simulated time here; real robots override it with the monotonic clock."""
        return self._ticks * self.dt

    def _judged(self, outcome: Outcome) -> Outcome:
        """The outcome with the operator's word on it, if there is one.

        A marked failure is rewarded at once with the least that the rest of the episode could have brought, so that
        undiscounted returns compare with those of episodes that failed to the end.
        """
        mark = None if self.supervisor is None else self.supervisor.mark()
        if mark is None or self.reward_bounds is None:
            return outcome
        low, high = self.reward_bounds
        if mark is Mark.SUCCESS:
            return Outcome(high, terminated=True, success=True)
        if mark is Mark.FAILURE:
            return Outcome(low * (self.horizon - self._steps + 1), terminated=True, success=False)
        return replace(outcome, terminated=False, success=None, truncated=True, discarded=True)


_CHECK_COMMANDS = "check the policy and the limits that refused its command"
_CHECK_SENSORS = "check what the observation is made of"


def box(low: float, high: float, size: int) -> spaces.Box[np.floating[Any]]:
    """A float32 box of shape (size,)."""
    return spaces.Box(low, high, (size,), np.float32)


def step_info(info: Mapping[str, Any]) -> StepInfo:
    """The typed part of what `RobotEnv.step` returned as info."""
    step: StepInfo = info["step"]
    return step
