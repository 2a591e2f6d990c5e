"""How late a loop is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Spread:
    """Of the newest values, in milliseconds of arm time; `count` of all there were."""

    count: int
    median: float
    p99: float
    largest: float


class Samples:
    """Keeps the newest 4096 of a stream of durations [s]."""

    def __init__(self) -> None:
        self._values = np.zeros(_KEPT)
        self._count = 0

    def add(self, seconds: float) -> None:
        """One more."""
        self._values[self._count % _KEPT] = seconds
        self._count += 1

    def spread(self) -> Spread:
        """Of what is kept; zeros where nothing is."""
        if not self._count:
            return Spread(0, 0.0, 0.0, 0.0)
        kept = 1e3 * self._values[: min(self._count, _KEPT)]
        median, p99 = np.percentile(kept, (50, 99))
        return Spread(self._count, round(float(median), 3), round(float(p99), 3), round(float(kept.max()), 3))
