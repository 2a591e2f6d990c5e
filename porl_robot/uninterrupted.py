"""Ctrl-C at its proper time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted(forget: bool = False) -> Iterator[None]:
    """Holds signals that end a process back until the block has ended. An error of the block goes before them.

    Those of a pedal, which end whatever does not listen for them, are dropped, and with `forget` all: for the way out
    of a program that is being ended already.

    Outside the main thread, where neither arrives, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    numbers = (*_ENDING, signal.SIGUSR1, signal.SIGUSR2)
    before = [signal.signal(number, lambda arrived, _: held.append(arrived)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    ending = [arrived for arrived in held if arrived in _ENDING]
    if ending and not forget:
        signal.raise_signal(ending[0])
