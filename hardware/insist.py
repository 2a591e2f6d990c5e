"""Reads and writes that neither a bad line nor a busy computer stops: for where time does not matter."""

from __future__ import annotations

from contextlib import suppress

from hardware.bus import Bus
from hardware.errors import HardwareError, NoReply
from hardware.patience import TRIES, patiently


def ping(bus: Bus, servo: int) -> int:
    """The model number that a servo reports.

    Raises:
        NoReply: it does not answer.
    """
    return patiently(lambda: bus.ping(servo))


def read(bus: Bus, servo: int, register: str) -> int:
    """The value of a register.

    Raises:
        NoReply: the servo does not answer.
    """
    return patiently(lambda: bus.read(servo, register))


def write(bus: Bus, servo: int, register: str, value: int) -> None:
    """Writes a register until it reads back as written.

    Raises:
        HardwareError: it does not take the value.
    """
    found = None
    for _ in range(TRIES):
        with suppress(NoReply):
            bus.write(servo, register, value)
        found = read(bus, servo, register)
        if found == value:
            return
    raise HardwareError(f"servo {servo}: {register} reads {found} after {value} was written")
