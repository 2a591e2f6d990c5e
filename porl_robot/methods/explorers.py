"""How a run chooses actions while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.policy.inference import Agent
from porl_robot.replay.record import Source

_HALF_LOG_2PI = 0.9189385332046727


@dataclass(frozen=True, slots=True)
class Moment:
    """When an action is asked for.

    Attributes:
        step: environment steps of the run so far. frame: of the episode so far.
        recent: outcomes of the finished training episodes (1 success, 0 failure), in order.
        noise_scale: what the policy's std is multiplied by.
    """

    step: int
    frame: int
    recent: Sequence[float] = ()
    noise_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Proposed:
    """An action (A,) in [-1, 1], its log-density (NaN where it has none), and who asked for it."""

    action: FloatArray
    log_prob: float
    source: Source = Source.POLICY


class Explorer(Protocol):
    """A rule for acting while learning."""

    def act(
        self, agent: Agent, reference: Agent, observation: FloatArray, moment: Moment, rng: np.random.Generator
    ) -> Proposed:
        """What to do at `observation` (D,). `reference` is the frozen policy the run began with."""


@dataclass(frozen=True, slots=True)
class SampleFromPolicy:
    """Samples the policy; before that, uniform actions for a while.

    Attributes:
        uniform_steps: environment steps with uniform actions at the start of the run.
    """

    uniform_steps: int = 0

    def act(
        self, agent: Agent, reference: Agent, observation: FloatArray, moment: Moment, rng: np.random.Generator
    ) -> Proposed:
        if moment.step >= self.uniform_steps:
            return _sampled(agent, observation, moment, rng)
        action = rng.uniform(-1.0, 1.0, agent.action_size)
        return Proposed(action, -agent.action_size * float(np.log(2.0)))


@dataclass(frozen=True, slots=True)
class ModePlusNoise:
    """The policy's mode with Gaussian noise, clipped to the action space (TD3).

    Attributes:
        std: of the noise, in units of the action.
    """

    std: float = 0.1

    def __post_init__(self) -> None:
        if not self.std > 0.0:
            raise ValueError(f"explorer.std {self.std} must be positive")

    def act(
        self, agent: Agent, reference: Agent, observation: FloatArray, moment: Moment, rng: np.random.Generator
    ) -> Proposed:
        noise = rng.standard_normal(agent.action_size)
        log_prob = -float((0.5 * noise**2 + _HALF_LOG_2PI + np.log(self.std)).sum())
        return Proposed(np.clip(agent.mode(observation) + self.std * noise, -1.0, 1.0), log_prob)


@dataclass(frozen=True, slots=True)
class GuideThenLearner:
    """The reference acts first, the learner takes over after h steps of the episode (JSRL, arXiv 2204.02372).

    h starts at `longest` and falls by one of `stages` whenever the success of the last `window` episodes at the
    present h is positive and at least `1 - tolerance` times the best seen at any h.

    Attributes:
        longest: steps the guide acts at first; an episode's usual length.
        stages, window, tolerance: our defaults.
    """

    longest: int
    stages: int = 10
    window: int = 10
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        for name in ("longest", "stages", "window"):
            if getattr(self, name) < 1:
                raise ValueError(f"explorer.{name} {getattr(self, name)} must be at least 1")
        if not 0.0 <= self.tolerance <= 1.0:
            raise ValueError(f"explorer.tolerance {self.tolerance} is outside [0, 1]")

    def act(
        self, agent: Agent, reference: Agent, observation: FloatArray, moment: Moment, rng: np.random.Generator
    ) -> Proposed:
        if moment.frame >= self.guided_steps(moment.recent):
            return _sampled(agent, observation, moment, rng)
        return Proposed(reference.mode(observation), float("nan"), Source.GUIDE)

    def guided_steps(self, outcomes: Sequence[float]) -> int:
        """h after these outcomes."""
        stage, begun, best = 0, 0, 0.0
        while stage < self.stages and begun + self.window <= len(outcomes):
            recent = outcomes[begun : begun + self.window]
            success = sum(recent) / self.window
            best = max(best, success)
            if success > 0.0 and success >= (1.0 - self.tolerance) * best:
                stage, begun = stage + 1, begun + self.window
            else:
                begun += 1
        return round(self.longest * (1.0 - stage / self.stages))


def _sampled(agent: Agent, observation: FloatArray, moment: Moment, rng: np.random.Generator) -> Proposed:
    action, log_prob = agent.sample(observation, rng, moment.noise_scale)
    return Proposed(action, log_prob, Source.GUIDE if np.isnan(log_prob) else Source.POLICY)
