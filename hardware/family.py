"""What differs between the makers' buses, as the rooms above want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hardware.codec.frame import Frame, Request
from hardware.exchange import Codec, Exchange


class BusCodec(Codec, Protocol):
    """What a bus needs of a wire format beside the frames."""

    @property
    def BROADCAST(self) -> int:
        """The id of all servos."""

    def read(self, id: int, address: int, count: int) -> Request:
        """Asks for `count` bytes from `address`."""

    def write(self, id: int, address: int, data: bytes) -> Request:
        """Writes `data` from `address`."""

    def sync_write(self, address: int, data: Mapping[int, bytes]) -> Request:
        """Writes to several servos at once."""


class Family(Protocol):
    """`FeetechFamily` and `DynamixelFamily`."""

    @property
    def codec(self) -> BusCodec:
        """The wire format."""

    def identify(self, exchange: Exchange, id: int, late: float) -> int | None:
        """The model number of a servo, or None without an answer. `late` as in `Exchange.ask`."""

    def read_many(
        self, exchange: Exchange, ids: Sequence[int], address: int, count: int, late: float
    ) -> dict[int, Frame]:
        """One status from each servo that answers."""

    def faults(self, error: int) -> tuple[str, ...]:
        """What the error byte says of the servo's health."""
