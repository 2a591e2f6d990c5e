"""How far the learner may be ahead of or behind the environment.

Every environment step grants one block of updates; no block runs without its grant. With a lag, the environment in
turn waits until at most that many grants are open: the update-to-data ratio is then exact.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission for one block.

    Attributes:
        rows: transitions the block may see.
        step: environment steps since the actor was unfrozen; None while it is frozen.
    """

    rows: int
    step: int | None


class Limiter:
    """Hands grants from the environment's thread to the learner's.

    Args:
        lag: open grants at which the environment waits; None never waits (real time).
    """

    def __init__(self, lag: int | None) -> None:
        self._lag = lag
        self._open: deque[Grant] = deque()
        self._granted = 0
        self._done = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def granted(self) -> int:
        """Grants so far."""
        return self._granted

    @property
    def done(self) -> int:
        """Blocks finished so far; never more than `granted`."""
        return self._done

    def grant(self, grant: Grant) -> None:
        """Permits one more block."""
        with self._changed:
            self._open.append(grant)
            self._granted += 1
            self._changed.notify_all()

    def take(self) -> Grant | None:
        """Waits for a grant; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._closed)
            return None if self._closed else self._open.popleft()

    def finish(self) -> None:
        """Says that the block of the last grant taken is done."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Waits until no more than `lag` grants are open, or the limiter is closed. Real time never waits."""
        if self._lag is not None:
            self._wait_for_open(self._lag)

    def drain(self) -> None:
        """Waits until no grant is open, or the limiter is closed."""
        self._wait_for_open(0)

    def close(self) -> None:
        """Ends all waiting; open grants are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait_for_open(self, count: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._granted - self._done <= count or self._closed)
