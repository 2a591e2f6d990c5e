"""Whether a joint can be where, and as fast as, its servo says."""

from __future__ import annotations

import math
from enum import Enum

from hardware.calibration import TICKS_PER_TURN
from hardware.clock import Taken

_FLICKER = 0.005
"""A resting encoder may change by so much [rad]: three ticks."""

_LAG = 1.0
"""The reported speed may differ so much from that of the positions [rad/s]: servos average it. On the models it differs
by 0.3 at most where the host leads."""

_HARDEST = 40.0
"""What a speed may change by in a second [rad/s^2]: after a gap it is not that of the way the joint has come."""

_TICK = math.tau / TICKS_PER_TURN
_ODD = 0.25
"""Speeds farther apart than this, beyond what a tick explains, wait for a second such reading [rad/s]. On the models
one reading in seventy is so where the joints are thrown about, next to none otherwise."""

_AT_REST = 1.5 * _TICK
"""A joint that has moved by less may be doubted for any speed that a tick does not explain [rad]: the reading before,
which then stands for this one, says as much of where it is."""

_GAP = 0.03
"""After so long without a reading [s] nothing is odd: a joint may have set out and arrived in between."""


class Verdict(Enum):
    """What the gate makes of a reading."""

    ACCEPTED = "accepted"
    DOUBTED = "doubted"
    REFUSED = "refused"


class Gate:
    """Refuses readings that no joint can have reached since the last accepted one: noise that passed a checksum.

    An odd one, that a joint may have reached if it was pushed or struck something, is doubted and its motion not used;
    where the next one is odd as well, that one is accepted. What else noise can change has to be there in two cycles in
    a row before anything comes of it (`Watch`).

    Args:
        fastest: speed that a joint can have [rad/s], pushed or falling included.
    """

    def __init__(self, fastest: float) -> None:
        self._fastest = fastest
        self._accepted: dict[int, tuple[Taken, float]] = {}
        self._doubted: set[int] = set()

    def judge(self, servo: int, position: float, velocity: float, taken: Taken) -> Verdict:
        """Whether `servo` can be at `position` [rad] with `velocity` [rad/s].

        An accepted position is what the next one is held against. The longer nothing was accepted, the farther a joint
        may have come.
        """
        if abs(velocity) > self._fastest:
            return Verdict.REFUSED
        known = self._accepted.get(servo)
        if known is not None:
            (asked, heard), before = known
            longest, shortest = max(taken.heard - asked, 1e-6), max(taken.asked - heard, 1e-6)
            moved = position - before
            if abs(moved) > self._fastest * longest + _FLICKER:
                return Verdict.REFUSED
            slowest, quickest = sorted((moved / longest, moved / shortest))
            apart = max(0.0, velocity - quickest, slowest - velocity)
            if apart > _LAG + _FLICKER / longest + 0.5 * _HARDEST * longest:
                return Verdict.REFUSED
            odd = _TICK / longest + (_ODD if abs(moved) > _AT_REST else 0.0)
            if longest < _GAP and apart > odd and servo not in self._doubted:
                self._doubted.add(servo)
                return Verdict.DOUBTED
        self.note(servo, position, taken)
        return Verdict.ACCEPTED

    def note(self, servo: int, position: float, taken: Taken) -> None:
        """Takes a position [rad] as it comes, to hold the next one against."""
        self._doubted.discard(servo)
        self._accepted[servo] = taken, position
