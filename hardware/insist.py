"""Reads and writes that neither a bad line nor a busy computer stops: for where time does not matter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from hardware.bus import Bus
from hardware.errors import HardwareError, NoReply

_TRIES = 3
"""Of each the bus itself makes several."""

_Got = TypeVar("_Got")


def ping(bus: Bus, servo: int) -> int:
    """The model number that a servo reports.

    Raises:
        NoReply: it does not answer.
    """
    return _insisted(lambda: bus.ping(servo))


def read(bus: Bus, servo: int, register: str) -> int:
    """The value of a register.

    Raises:
        NoReply: the servo does not answer.
    """
    return _insisted(lambda: bus.read(servo, register))


def write(bus: Bus, servo: int, register: str, value: int) -> None:
    """Writes a register until it reads back as written.

    Raises:
        HardwareError: it does not take the value.
    """
    found = None
    for _ in range(_TRIES):
        with suppress(NoReply):
            bus.write(servo, register, value)
        found = read(bus, servo, register)
        if found == value:
            return
    raise HardwareError(f"servo {servo}: {register} reads {found} after {value} was written")


def _insisted(attempt: Callable[[], _Got]) -> _Got:
    for _ in range(_TRIES - 1):
        with suppress(NoReply):
            return attempt()
    return attempt()
