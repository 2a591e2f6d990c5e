"""The arm's own time."""

from __future__ import annotations

import time
from typing import NamedTuple


class Taken(NamedTuple):
    """When a reading was asked for and when it had come [s]. It was taken in between: a busy computer hears late."""

    asked: float
    heard: float


class Clock:
    """Monotonic arm time: real time on an arm, `scale` times as fast on a virtual arm that runs so much faster.

    Every deadline, period and age above the wire is in arm seconds.

    Raises:
        ValueError: `scale` is not positive.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if not scale > 0.0:
            raise ValueError(f"time_scale {scale} must be positive")
        self.scale = scale

    def now(self) -> float:
        """Arm seconds; the zero is arbitrary but the same in every process of this machine."""
        return time.monotonic() * self.scale

    def real(self, seconds: float) -> float:
        """Wall seconds that `seconds` of arm time take."""
        return seconds / self.scale

    def sleep_until(self, moment: float) -> None:
        """Returns at arm time `moment`, at once where it has passed."""
        remaining = moment - self.now()
        if remaining > 0.0:
            time.sleep(self.real(remaining))
