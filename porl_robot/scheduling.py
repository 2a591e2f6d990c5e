"""What keeps a busy computer from making an arm wait, where the user may have it.

Linux permits real-time scheduling to who has `CAP_SYS_NICE` or an `rtprio` limit of at least the priority asked for,
and memory that stays to root and to who has an unlimited `memlock` (both limits in `limits.conf`).
"""

from __future__ import annotations

import ctypes
import os
import resource

HOST_PRIORITY = 20
"""Of the bus loop: an arm that is brought to rest goes before everything that commands it."""

_NOW, _LATER, _WHEN_USED = 1, 2, 4  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT of mman.h

OPERATOR_PRIORITY = 15
"""Of the thread that hears the operator: a stop goes before commands."""

CONTROL_PRIORITY = 10
"""Of the thread that commands an arm."""


def real_time(priority: int) -> bool:
    """Asks for first-in-first-out scheduling of the calling thread and of those it starts; tells whether granted."""
    return _granted(os.SCHED_FIFO, priority)


def stay_in_memory(*, unused_too: bool) -> None:
    """Nothing that this process uses has to come from a disk again, now or later, where that is permitted.

    Args:
        unused_too: also what it has not used yet; for small processes.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # With a limit that is nearly reached, an allocation would fail later.
    if limit == resource.RLIM_INFINITY or os.geteuid() == 0:
        ctypes.CDLL(None).mlockall(_NOW | _LATER | (0 if unused_too else _WHEN_USED))


def described(granted: bool, priority: int) -> str:
    """What an operator reads about it."""
    return f"real-time scheduling (FIFO {priority})" if granted else "normal scheduling (real-time not permitted)"


class Punctual:
    """The scheduling of a thread that is in a hurry only at times. Threads and processes it starts are never.

    Attributes:
        granted: whether real-time scheduling is permitted.
    """

    def __init__(self, priority: int) -> None:
        self.priority = priority
        self._hurried = False
        self.granted = _granted(_FIFO, priority)
        self._relax()

    def hurry(self, wanted: bool) -> None:
        """From now on the calling thread is, or is not, in a hurry."""
        if wanted == self._hurried or not self.granted:
            return
        self._hurried = wanted
        if wanted:
            _granted(_FIFO, self.priority)
        else:
            self._relax()

    def _relax(self) -> None:
        _granted(_OTHER, 0)


# A child that inherited the priority would compete with what the arm waits for. The flag stays set with normal
# scheduling too: taking it back is not permitted to everybody.
_FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
_OTHER = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK


def _granted(policy: int, priority: int) -> bool:
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except PermissionError:
        return False
    return True
