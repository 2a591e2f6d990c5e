"""What is peculiar to a bus of Feetech servos."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.codec import feetech
from hardware.codec.frame import Frame
from hardware.exchange import Exchange
from hardware.servos import SERVOS_BY_NUMBER
from hardware.servos.feetech import FAULTS

_VERSION_BYTES = 5  # firmware major and minor, byte order, model number


class FeetechFamily:
    """The vendor's own ways, as `hardware.family.Family` wants them."""

    codec = feetech

    def identify(self, exchange: Exchange, id: int, late: float) -> int | None:
        """The model number, or None without an answer.

        It is read, not pinged: the echo of a ping looks like its reply, and the reply says nothing of the model.
        """
        count = exchange.reply_length(_VERSION_BYTES, room=24)
        frame = exchange.ask(feetech.read(id, 0, count), (id,), count, late).get(id)
        if frame is None:
            return None
        word = frame.parameters[3:5]
        big = int.from_bytes(word, "big")
        return big if ("feetech", big) in SERVOS_BY_NUMBER else int.from_bytes(word, "little")

    def read_many(
        self, exchange: Exchange, ids: Sequence[int], address: int, count: int, late: float
    ) -> dict[int, Frame]:
        """One status from each servo that answers, in one exchange."""
        return exchange.ask(feetech.sync_read(ids, address, count), ids, count, late)

    def faults(self, error: int) -> tuple[str, ...]:
        """What the error byte says of the servo's health."""
        return tuple(name for bit, name in FAULTS.items() if error & bit)
