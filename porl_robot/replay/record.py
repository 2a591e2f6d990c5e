"""One logged step: the union of what every method and every later analysis needs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porl_robot.command import FloatArray


class Source(enum.IntEnum):
    """Who asked for an action."""

    POLICY = 0
    HUMAN = 1
    GUIDE = 2
    RESET = 3


class Phase(enum.IntEnum):
    """What a run was doing when the step was taken."""

    COLLECT = 0
    PRE_SAMPLE = 1
    ONLINE = 2
    EVALUATE = 3


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One control step.

    Attributes:
        observation: shape (D,), before the action.
        action: shape (A,), executed, after the filters, in [-1, 1].
        action_requested: shape (A,), what was asked for; may be non-finite.
        log_prob: log-density of the requested action under the policy that chose it; NaN where there is none.
        reward, terminated, truncated: outcome of the step.
        success: None where the task has no notion of success, and where a discarded episode ends.
        source: who asked.
        is_intervention: True where a human took over from the policy.
        filters: bitmask of the filters that changed the action (bit order: `LogSpec.filters`).
        episode_index, frame_index: which episode of the log, which step of it; both from 0.
        phase: what the run was doing.
        policy_version: snapshot that chose the action; 0 is the policy the run began with.
        time_tick, time_observed, time_sent: [s], see `porl_robot.env.StepInfo`.
        final_observation: shape (D,), set exactly where the episode ends (terminated or truncated).
    """

    observation: FloatArray
    action: FloatArray
    action_requested: FloatArray
    log_prob: float
    reward: float
    terminated: bool
    truncated: bool
    success: bool | None
    source: Source
    is_intervention: bool
    filters: int
    episode_index: int
    frame_index: int
    phase: Phase
    policy_version: int
    time_tick: float
    time_observed: float
    time_sent: float
    final_observation: FloatArray | None


@dataclass(frozen=True, slots=True)
class LogSpec:
    """What a log says of itself.

    Attributes:
        env: name of the task.
        observation_size, action_size: D and A.
        control_hz: control rate [1/s].
        reward_bounds: smallest and largest reward of a step, or None where unknown.
        has_success: False where the task knows only returns.
        filters: names of the safety filters, bit 0 first.
    """

    env: str
    observation_size: int
    action_size: int
    control_hz: float
    reward_bounds: tuple[float, float] | None
    has_success: bool
    filters: tuple[str, ...]
