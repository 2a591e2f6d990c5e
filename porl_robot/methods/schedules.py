"""How a coefficient changes with the environment steps since the actor was unfrozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """A coefficient as a function of environment steps since unfreezing."""

    def __call__(self, step: int) -> float:
        """The coefficient at `step` >= 0."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always `value`."""

    value: float

    def __call__(self, step: int) -> float:
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

    def __call__(self, step: int) -> float:
        return self.end + (self.start - self.end) * max(0.0, 1.0 - step / self.steps)
