"""Whether a joint stands still while its goal goes on: it is blocked, or its encoder is stuck."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from porl_robot.env import FloatArray

_FROZEN, _FOR = 0.0008, 0.06
"""A joint stands that has not moved by so much [rad] for so long [s]."""

_SETTING_OUT, _AWAY = 0.02, 0.06
"""Of a joint that stood before, the goal may go so far [rad] until that time begins, and so far in all: it sticks."""

_BEFORE, _GOING, _AHEAD = 0.02, 0.25, 0.02
"""Of one that over so long [s] went so fast [rad/s], the goal may go so far [rad] on in that direction: no joint of the
models brakes so hard by itself. Where the goal has come back in between, the joint may stick."""


class Stuck(NamedTuple):
    """Joint `joint` has not moved for `seconds`, while its goal went `away` [rad]."""

    joint: int
    seconds: float
    away: float


class Standstill:
    """Judges one cycle after the other.

    Where a joint turns round, its position stands for a moment as well, but the goal comes nearer then, and goes on to
    the other side.
    """

    def __init__(self) -> None:
        self._position: FloatArray | None = None

    def begin(self) -> None:
        """Forgets the motion so far."""
        self._position = None

    def found(self, position: FloatArray, goal: FloatArray, now: float) -> Stuck | None:
        """A joint that is stuck, or None.

        Args:
            position: measured, shape (n,) [rad].
            goal: what the servos are to reach, shape (n,) [rad].
            now: when it was measured [s].
        """
        error = np.abs(goal - position)
        if self._position is None:
            self._position, self._error = position.copy(), error
            self._speed = np.zeros(len(position))
            self._since = np.full(len(position), now)
            self._path = deque([(now, position.copy())])
            return None
        moved = np.abs(position - self._position) > _FROZEN
        stopping = np.where(error < self._error, 0.0, self._speed)
        self._speed = np.where(moved, self._slope(position, now), stopping)
        self._position = np.where(moved, position, self._position)
        self._error = np.where(moved, error, np.minimum(error, self._error))
        away = error - self._error
        going = (np.abs(self._speed) > _GOING) & ((goal - position) * self._speed > 0.0)
        self._since = np.where(moved | (~going & (away <= _SETTING_OUT)), now, self._since)
        standing = now - self._since
        stuck = np.flatnonzero((away > np.where(going, _AHEAD, _AWAY)) & (standing > _FOR))
        return Stuck(int(stuck[0]), float(standing[stuck[0]]), float(away[stuck[0]])) if len(stuck) else None

    def _slope(self, position: FloatArray, now: float) -> FloatArray:
        """The speed over the last `_BEFORE`, or since the reading before where that is longer ago [rad/s]."""
        while len(self._path) > 1 and self._path[1][0] <= now - _BEFORE:
            self._path.popleft()
        moment, before = self._path[0]
        self._path.append((now, position.copy()))
        return (position - before) / max(now - moment, _BEFORE)
