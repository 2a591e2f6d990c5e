"""Feetech's wire format ("protocol 0", and SCS, whose words are big-endian).

Request `FF FF id length instruction parameters sum`, status `FF FF id length error data sum`, where length
counts what follows it and sum is the inverted low byte of the sum from id on. Nothing tells a status from a
request, and nothing is stuffed: FF FF may stand anywhere.

The sum catches every flipped bit but one in the length, which may leave a shorter frame that passes by chance.
It never has the length that was asked for, so a reply counts only with the right id and the exact length.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum

from hardware.codec.frame import Frame, FrameParser, Request, one_length

BROADCAST = 0xFE
LARGEST_ID = 0xFD
STATUS_OVERHEAD = 6
"""Bytes of a status beside its data."""

_HEADER = b"\xff\xff"
_LARGEST_PARAMETERS = 253


class Instruction(IntEnum):
    """What a request asks for."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


def encode_request(id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """The bytes of a request.

    Raises:
        ValueError: no such id, or too many parameters for one frame.
    """
    if not 0 <= id <= BROADCAST:
        raise ValueError(f"id {id} is outside 0-{BROADCAST}")
    if len(parameters) > _LARGEST_PARAMETERS:
        raise ValueError(f"{len(parameters)} bytes of parameters; a frame holds {_LARGEST_PARAMETERS}")
    body = bytes((id, len(parameters) + 2, instruction)) + parameters
    return _HEADER + body + bytes((_sum(body),))


def encode_status(id: int, error: int, data: bytes = b"") -> bytes:
    """The bytes of a status; on this wire a request whose instruction is the error.

    Raises:
        ValueError: as in `encode_request`.
    """
    return encode_request(id, error, data)


def refusal(error: int) -> None:
    """Nothing: the bits of the error tell of the servo's health, and the instruction was carried out."""


def is_spliced(frame: Frame, counts: Collection[int]) -> bool:
    """Whether within `frame` another status begins that has one of `counts` bytes of data.

    The first was cut short then, and the sum, which misses one such accident in 256, passed by chance.
    """
    body = bytes((frame.code,)) + frame.parameters
    # The last byte and the sum may be the header of the second: no register of these servos ends in 0xFF.
    if body.endswith(_HEADER[:1]) and _sum(bytes((frame.id, len(body) + 1)) + body) == 0xFF:
        return True
    at = body.find(_HEADER)
    while at >= 0:
        # A header at the very end is that of the next as well: no register of these servos reads 0xFFFF.
        if at >= len(body) - 3 or body[at + 3] - 2 in counts:
            return True
        at = body.find(_HEADER, at + 1)
    return False


class Parser(FrameParser):
    """Finds requests and statuses alike; which is which depends on the end of the bus one is."""

    header = _HEADER
    head = 4

    def __init__(self, longest: int = 6 + _LARGEST_PARAMETERS) -> None:
        super().__init__(longest)

    def _size(self) -> int | None:
        id, length = self._buffer[2], self._buffer[3]
        return length + 4 if id <= BROADCAST and length >= 2 else None

    def _decode(self, data: bytes) -> Frame | None:
        if _sum(data[2:-1]) != data[-1]:
            return None
        return Frame(data[2], data[4], data[5:-1], is_status=None)


def ping(id: int) -> Request:
    """Asks one servo, or all (broadcast), for an empty status."""
    return Request(id, Instruction.PING)


def read(id: int, address: int, count: int) -> Request:
    """Asks for `count` bytes from `address`."""
    return Request(id, Instruction.READ, bytes((address, count)))


def write(id: int, address: int, data: bytes) -> Request:
    """Writes `data` from `address`."""
    return Request(id, Instruction.WRITE, bytes((address,)) + data)


def reg_write(id: int, address: int, data: bytes) -> Request:
    """Writes `data` from `address` once an action comes."""
    return Request(id, Instruction.REG_WRITE, bytes((address,)) + data)


def action(id: int = BROADCAST) -> Request:
    """Carries out what was registered."""
    return Request(id, Instruction.ACTION)


def sync_read(ids: Sequence[int], address: int, count: int) -> Request:
    """Asks each of `ids` for `count` bytes from `address`; each sends a status, in this order."""
    return Request(BROADCAST, Instruction.SYNC_READ, bytes((address, count, *ids)))


def sync_write(address: int, data: Mapping[int, bytes]) -> Request:
    """Writes to several servos at once, all the same number of bytes, by id. Nobody answers.

    Raises:
        ValueError: they are not of one length.
    """
    items = b"".join(bytes((id,)) + each for id, each in data.items())
    return Request(BROADCAST, Instruction.SYNC_WRITE, bytes((address, one_length(data))) + items)


def split_read(parameters: bytes) -> tuple[int, int]:
    """Address and count of a read.

    Raises:
        ValueError: these are no parameters of a read. So for every `split_...` below.
    """
    if len(parameters) != 2:
        raise ValueError(f"a read has 2 parameters, got {len(parameters)}")
    return parameters[0], parameters[1]


def split_write(parameters: bytes) -> tuple[int, bytes]:
    """Address and data of a write or reg write."""
    if len(parameters) < 2:
        raise ValueError("a write has an address and data")
    return parameters[0], parameters[1:]


def split_sync_read(parameters: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Address, count and ids of a sync read."""
    if len(parameters) < 3:
        raise ValueError("a sync read has an address, a count and ids")
    return parameters[0], parameters[1], tuple(parameters[2:])


def split_sync_write(parameters: bytes) -> tuple[int, dict[int, bytes]]:
    """Address of a sync write, and its data by id."""
    if len(parameters) < 4 or (len(parameters) - 2) % (parameters[1] + 1):
        raise ValueError("a sync write has an address, a count and as many bytes for each id")
    address, step, items = parameters[0], parameters[1] + 1, parameters[2:]
    return address, {items[k]: items[k + 1 : k + step] for k in range(0, len(items), step)}


def _sum(body: bytes) -> int:
    return ~sum(body) & 0xFF
