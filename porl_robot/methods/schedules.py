"""How a coefficient changes in the course of a run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Protocol

from porl_robot.replay.buffer import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: environment steps since the actor was unfrozen.
        episodes: those finished so far, in order.
        reward_bounds: smallest and largest reward of a step, or None.
        frozen: how many of the episodes were finished before the actor was unfrozen.
        before: those of them in which it acted with all of its noise, as it does since.
    """

    step: int = 0
    episodes: Sequence[Outcome] = ()
    reward_bounds: tuple[float, float] | None = None
    frozen: int = 0
    before: Sequence[Outcome] = ()


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
class Earned:
    """From `start` to `end` in `steps` environment steps of acting as well as before; back while acting is worse.

    Our default. At every episode's end the success rate of the last `window` episodes is held against that of the
    frozen actor with the same noise; where a task has no notion of success, the mean return is. As long as it is no
    more than `tolerance` standard errors of a window below it, the episode's steps count towards `steps`, otherwise
    against them. Until `window` episodes are there, and without a single one before, nothing is held against anything,
    and they count. What an operator discarded does not.

    Attributes:
        window: our default. It includes the newest episodes of the frozen actor at first.
        tolerance: our default. At 0 an actor as good as the frozen one would stay where it is.
    """

    start: float
    end: float
    steps: int
    window: int = 20
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        for name in ("steps", "window"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        if not self.tolerance >= 0.0:
            raise ValueError(f"tolerance {self.tolerance} is negative")

    @property
    def every_step(self) -> bool:
        return False

    @property
    def least(self) -> float:
        return min(self.start, self.end)

    def __call__(self, progress: Progress) -> float:
        since = progress.episodes[progress.frozen :]
        knows_success = any(each.success is not None for each in progress.episodes)
        before = [_result(each) for each in progress.before if not _discarded(each, knows_success)]
        bar, recent = self._bar(before), deque(before, self.window)
        earned = 0
        for episode in since:
            if _discarded(episode, knows_success):
                continue
            recent.append(_result(episode))
            as_good = len(recent) < self.window or fmean(recent) >= bar
            earned = min(max(earned + (episode.steps if as_good else -episode.steps), 0), self.steps)
        return self.start + (self.end - self.start) * earned / self.steps

    def _bar(self, before: Sequence[float]) -> float:
        if not before:
            return -math.inf
        return fmean(before) - self.tolerance * pstdev(before) / math.sqrt(self.window)


def _result(episode: Outcome) -> float:
    return episode.total if episode.success is None else float(episode.success)


def _discarded(episode: Outcome, knows_success: bool) -> bool:
    """By an operator: without a verdict, in a task that knows success."""
    return knows_success and episode.success is None


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
