"""Whether a joint can be where its servo says it is."""

from __future__ import annotations

_SLACK = 3
"""Ticks that a resting encoder may flicker by."""


class PositionGate:
    """Refuses positions that no joint can have reached since the last accepted one: noise that passed a checksum.

    Args:
        speed: fastest a joint can be [ticks/s], moved by hand or falling included.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._accepted: dict[int, tuple[float, int]] = {}

    def accepts(self, servo: int, ticks: int, now: float) -> bool:
        """Whether `servo` can be at `ticks` at `now` [s]; an accepted position is what the next one is held against.

        The longer nothing was accepted, the further a joint may have come.
        """
        known = self._accepted.get(servo)
        if known is not None:
            moment, before = known
            if abs(ticks - before) > self._speed * (now - moment) + _SLACK:
                return False
        self._accepted[servo] = now, ticks
        return True

    def forget(self) -> None:
        """The next positions are taken as they come."""
        self._accepted.clear()
