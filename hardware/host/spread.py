"""Durations, many of them, in four numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        return spread(self._values[: min(self._count, _KEPT)], self._count)


def spread(values: Sequence[float] | npt.NDArray[np.float64], count: int) -> Spread:
    """Of `values` [s], the newest of `count`; zeros where there are none."""
    if not len(values):
        return Spread(count, 0.0, 0.0, 0.0)
    kept = 1e3 * np.asarray(values)
    median, p99 = np.percentile(kept, (50, 99))
    return Spread(count, round(float(median), 3), round(float(p99), 3), round(float(kept.max()), 3))
