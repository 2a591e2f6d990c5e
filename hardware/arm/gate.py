"""Whether a joint can be where, and as fast as, its servo says."""

from __future__ import annotations

_FLICKER = 0.005
"""A resting encoder may change by so much [rad]: three ticks."""

_LAG = 1.0
"""The reported speed may differ so much from that of the positions [rad/s]: servos average it. On the models it differs
by 0.3 at most."""

_HARDEST = 40.0
"""What a speed may change by in a second [rad/s^2]: after a gap it is not that of the way the joint has come."""


class Gate:
    """Refuses readings that no joint can have reached since the last accepted one: noise that passed a checksum.

    What else noise can change has to be there in two cycles in a row before anything comes of it (`Watch`).

    Args:
        fastest: speed that a joint can have [rad/s], pushed or falling included.
    """

    def __init__(self, fastest: float) -> None:
        self._fastest = fastest
        self._accepted: dict[int, tuple[float, float]] = {}

    def accepts(self, servo: int, position: float, velocity: float, now: float) -> bool:
        """Whether `servo` can be at `position` [rad] with `velocity` [rad/s] at `now` [s].

        An accepted position is what the next one is held against. The longer nothing was accepted, the farther a joint
        may have come.
        """
        known = self._accepted.get(servo)
        if abs(velocity) > self._fastest:
            return False
        if known is not None:
            moment, before = known
            elapsed = max(now - moment, 1e-6)
            if abs(position - before) > self._fastest * elapsed + _FLICKER:
                return False
            if abs(velocity - (position - before) / elapsed) > _LAG + _FLICKER / elapsed + 0.5 * _HARDEST * elapsed:
                return False
        self.note(servo, position, now)
        return True

    def note(self, servo: int, position: float, now: float) -> None:
        """Takes a position [rad] as it comes, to hold the next one against."""
        self._accepted[servo] = now, position
