"""What is peculiar to a bus of Dynamixel servos."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.codec import dynamixel
from hardware.codec.frame import Frame
from hardware.exchange import Exchange

_PING_BYTES = 3  # model number, firmware
_GIVE_UP_FAST = 3


class DynamixelFamily:
    """The vendor's own ways, as `hardware.family.Family` wants them.

    Args:
        fast: whether every servo knows fast sync read. After three failures in a row it is not tried again: one
            servo is missing then, or has old firmware, and each try would cost a timeout.
    """

    codec = dynamixel

    def __init__(self, fast: bool) -> None:
        self._fast = fast
        self._failures = 0

    def identify(self, exchange: Exchange, id: int, late: float) -> int | None:
        """The model number, or None without an answer."""
        frame = exchange.ask(dynamixel.ping(id), (id,), _PING_BYTES, late).get(id)
        return None if frame is None or not frame.parameters else int.from_bytes(frame.parameters[:2], "little")

    def read_many(
        self, exchange: Exchange, ids: Sequence[int], address: int, count: int, late: float
    ) -> dict[int, Frame]:
        """One status from each servo that answers, in one exchange, or two where the first finds no one."""
        if self._fast and self._failures < _GIVE_UP_FAST:
            found = _read_fast(exchange, ids, address, count, late)
            if found:
                self._failures = 0
                return found
            self._failures += 1
            exchange.statistics.retries += 1
        return exchange.ask(dynamixel.sync_read(ids, address, count), ids, count, late)

    def faults(self, error: int) -> tuple[str, ...]:
        """That the servo has a hardware alert; its `status` register says which."""
        return ("hardware alert",) if error & dynamixel.ALERT else ()


def _read_fast(exchange: Exchange, ids: Sequence[int], address: int, count: int, late: float) -> dict[int, Frame]:
    """All servos in one status, or none at all."""
    length = len(ids) * (count + 4) - 3  # of which the first error and the last CRC are the status's own
    request = dynamixel.fast_sync_read(ids, address, count)
    frame = exchange.ask(request, (dynamixel.BROADCAST,), count, late, length).get(dynamixel.BROADCAST)
    if frame is None or not frame.parameters:
        return {}
    parts = dynamixel.split_fast_status(frame, count)
    return {part.id: part for part in parts} if [part.id for part in parts] == list(ids) else {}
