"""How a coefficient changes in the course of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from porl_robot.replay.buffer import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: environment steps since the actor was unfrozen.
        episodes: those finished so far, in order.
        reward_bounds: smallest and largest reward of a step, or None.
    """

    step: int = 0
    episodes: Sequence[Outcome] = ()
    reward_bounds: tuple[float, float] | None = None


class Schedule(Protocol):
    """A coefficient as a function of the progress alone, so that a resumed run finds it again."""

    @property
    def every_step(self) -> bool:
        """Whether it changes with every step, or only with finished episodes."""

    @property
    def least(self) -> float:
        """What it never falls below."""

    def __call__(self, progress: Progress) -> float:
        """The coefficient now."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always `value`."""

    value: float

    @property
    def every_step(self) -> bool:
        return False

    @property
    def least(self) -> float:
        return self.value

    def __call__(self, progress: Progress) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class Linear:
    """From `start` to `end` in `steps` environment steps, then `end`."""

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps {self.steps} must be at least 1")

    @property
    def every_step(self) -> bool:
        return True

    @property
    def least(self) -> float:
        return min(self.start, self.end)

    def __call__(self, progress: Progress) -> float:
        return self.end + (self.start - self.end) * max(0.0, 1.0 - progress.step / self.steps)


@dataclass(frozen=True, slots=True)
class Scaled:
    """`factor` times another coefficient."""

    schedule: Schedule
    factor: float

    @property
    def every_step(self) -> bool:
        return self.schedule.every_step

    @property
    def least(self) -> float:
        return self.factor * self.schedule.least

    def __call__(self, progress: Progress) -> float:
        return self.factor * self.schedule(progress)


@dataclass(frozen=True, slots=True)
class Performance:
    """A coefficient controlled by the returns of finished episodes (adaptive BC, arXiv 2210.13846, section 4).

    For tasks whose smallest and largest reward are known; others raise ValueError.

    At every episode's end `c += steps * (-proportional * (target - average) + derivative * max(0, average - now))`,
    within [0, start], then `average` follows. Returns are put into [0, 1]: 0 the worst reward throughout, 1 the best;
    the rest of a terminated episode counts as best. Two changes of ours: `now` is smoothed, because with binary
    success the published controller holds full cloning between success .32 and .98; and an episode counts for
    `steps / longest episode so far`, so that the gains do not depend on the horizon.

    Attributes:
        start: the coefficient at first, and its maximum.
        target: the return aimed at; beyond 1 it is never reached.
        proportional, derivative: gains per episode of full length.
        average_rate, now_rate: shares of the newest episode in the slow and the fast average.
    """

    start: float = 0.4
    target: float = 1.05
    proportional: float = 0.03
    derivative: float = 0.1
    average_rate: float = 0.05
    now_rate: float = 0.2

    @property
    def every_step(self) -> bool:
        return False

    @property
    def least(self) -> float:
        return 0.0

    def __call__(self, progress: Progress) -> float:
        if progress.reward_bounds is None:
            raise ValueError("returns cannot be put into [0, 1]: the task's reward bounds are unknown")
        coefficient, longest = self.start, 0
        average = now = None
        for episode in progress.episodes:
            longest = max(longest, episode.steps)
            score = _score(episode, longest, progress.reward_bounds)
            if average is None or now is None:
                average = now = score
            now += self.now_rate * (score - now)
            push = -self.proportional * (self.target - average) + self.derivative * max(0.0, average - now)
            coefficient = min(max(coefficient + push * episode.steps / longest, 0.0), self.start)
            average += self.average_rate * (score - average)
        return coefficient


def _score(episode: Outcome, longest: int, bounds: tuple[float, float]) -> float:
    low, high = bounds
    missing = longest - episode.steps if episode.terminated else 0
    earned = episode.total - low * episode.steps + (high - low) * missing
    return earned / ((high - low) * (episode.steps + missing))
