"""Dynamixel protocol 2.0.

`FF FF FD 00 id length instruction parameters crc`, length (2 bytes, low first) counting what follows it. A
status has the instruction 0x55 and its error as first parameter. Where FF FF FD stands from the instruction to
the last parameter, another FD is stuffed behind it; length and CRC count the stuffed bytes.

The reply to a fast sync read is one status from the broadcast id that the servos write in turn. Its length is
fixed before the data is known, so it is not stuffed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum

from hardware.codec.crc import crc16
from hardware.codec.frame import Frame, FrameParser, Request, one_length

BROADCAST = 0xFE
LARGEST_ID = 0xFC
STATUS_OVERHEAD = 11
"""Bytes of a status beside its data."""

ALERT = 0x80
"""Bit of the error: the servo's `status` register says what is wrong with it. The instruction was carried out."""

_HEADER = b"\xff\xff\xfd\x00"
_HEAD = 7
_STUFFED = b"\xff\xff\xfd\xfd"
_LONGEST = 1024


class Instruction(IntEnum):
    """What a request asks for; `STATUS` is an answer."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    CLEAR = 0x10
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93


class Error(IntEnum):
    """Why an instruction was not carried out: the error of a status, less `ALERT`."""

    RESULT = 1
    INSTRUCTION = 2
    CRC = 3
    RANGE = 4
    LENGTH = 5
    LIMIT = 6
    ACCESS = 7


_REFUSALS: dict[int, str] = {
    Error.RESULT: "could not carry it out",
    Error.INSTRUCTION: "does not know the instruction",
    Error.CRC: "received it damaged",
    Error.RANGE: "the value or address is out of range",
    Error.LENGTH: "too few bytes for that register",
    Error.LIMIT: "the value exceeds a limit set in it",
    Error.ACCESS: "read-only, or in the EPROM while the torque is on",
}


def refusal(error: int) -> str | None:
    """Why an instruction was not carried out, or None where it was."""
    code = error & ~ALERT
    return _REFUSALS.get(code, f"error {code}") if code else None


def encode_request(id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """The bytes of a request.

    Raises:
        ValueError: no such id, or too many parameters for one frame.
    """
    body = bytes((instruction,)) + parameters
    return _encode(id, body.replace(_STUFFED[:3], _STUFFED))


def encode_status(id: int, error: int, data: bytes = b"") -> bytes:
    """The bytes of a status.

    Raises:
        ValueError: as in `encode_request`.
    """
    return encode_request(id, Instruction.STATUS, bytes((error,)) + data)


def encode_fast_status(parts: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The reply to a fast sync read, from each servo's id, error and data.

    Each part ends with the CRC of everything before it; that of the last is the frame's (inferred, not measured).

    Raises:
        ValueError: as in `encode_request`.
    """
    length = 1 + sum(len(data) + 4 for _, _, data in parts)
    frame = _head(BROADCAST, length) + bytes((Instruction.STATUS,))
    for id, error, data in parts:
        frame += bytes((error, id)) + data
        frame += crc16(frame).to_bytes(2, "little")
    return frame


def split_fast_status(frame: Frame, count: int) -> list[Frame]:
    """The statuses in the reply to a fast sync read of `count` bytes.

    Raises:
        ValueError: the reply is not made of such parts.
    """
    body = bytes((frame.code,)) + frame.parameters + bytes(2)
    step = count + 4
    if len(body) % step:
        raise ValueError(f"{len(body)} bytes are no parts of {step}")
    parts = [body[k : k + step] for k in range(0, len(body), step)]
    return [Frame(part[1], part[0], part[2:-2], is_status=True) for part in parts]


def is_spliced(frame: Frame, counts: Collection[int]) -> bool:
    """Whether within `frame` another status begins that has one of `counts` bytes of data, or a fast one.

    The first was cut short then, and the CRC, which misses one such accident in 65536, fitted by chance. Data may hold
    a header by right; that its length is one of these as well is next to impossible.
    """
    body = frame.parameters
    at = body.find(_HEADER)
    while at >= 0:
        head = body[at + 4 : at + 8]
        length = int.from_bytes(head[1:3], "little")
        if len(head) < 4 or (head[3] == Instruction.STATUS and (head[0] == BROADCAST or length - 4 in counts)):
            return True
        at = body.find(_HEADER, at + 1)
    return False


class Parser(FrameParser):
    """Finds requests and statuses. A frame whose sender forgot the stuffing is taken by its length."""

    header = _HEADER
    head = _HEAD

    def __init__(self, longest: int = _LONGEST) -> None:
        super().__init__(longest)

    def _size(self) -> int | None:
        id, length = self._buffer[4], int.from_bytes(self._buffer[5:7], "little")
        return length + _HEAD if (id <= LARGEST_ID or id == BROADCAST) and length >= 3 else None

    def _decode(self, data: bytes) -> Frame | None:
        if crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
            return None
        id, body = data[4], data[_HEAD:-2]
        is_status = body[0] == Instruction.STATUS
        if not (is_status and id == BROADCAST):
            body = body.replace(_STUFFED, _STUFFED[:3])
        if not is_status:
            return Frame(id, body[0], body[1:], is_status=False)
        # A status without an error byte is none.
        return Frame(id, body[1], body[2:], is_status=True) if len(body) > 1 else None


def ping(id: int) -> Request:
    """Asks one servo, or all (broadcast), for model number (2 bytes) and firmware (1)."""
    return Request(id, Instruction.PING)


def read(id: int, address: int, count: int) -> Request:
    """Asks for `count` bytes from `address`."""
    return Request(id, Instruction.READ, _words(address, count))


def write(id: int, address: int, data: bytes) -> Request:
    """Writes `data` from `address`."""
    return Request(id, Instruction.WRITE, _words(address) + data)


def reg_write(id: int, address: int, data: bytes) -> Request:
    """Writes `data` from `address` once an action comes."""
    return Request(id, Instruction.REG_WRITE, _words(address) + data)


def action(id: int = BROADCAST) -> Request:
    """Carries out what was registered."""
    return Request(id, Instruction.ACTION)


def reboot(id: int) -> Request:
    """Starts the servo's firmware anew: the only way out of a tripped shutdown without switching the supply."""
    return Request(id, Instruction.REBOOT)


def sync_read(ids: Sequence[int], address: int, count: int) -> Request:
    """Asks each of `ids` for `count` bytes from `address`; each sends a status, in this order."""
    return Request(BROADCAST, Instruction.SYNC_READ, _words(address, count) + bytes(ids))


def fast_sync_read(ids: Sequence[int], address: int, count: int) -> Request:
    """As `sync_read`, answered by one frame; see `split_fast_status`."""
    return Request(BROADCAST, Instruction.FAST_SYNC_READ, _words(address, count) + bytes(ids))


def sync_write(address: int, data: Mapping[int, bytes]) -> Request:
    """Writes to several servos at once, all the same number of bytes, by id. Nobody answers.

    Raises:
        ValueError: they are not of one length.
    """
    items = b"".join(bytes((id,)) + each for id, each in data.items())
    return Request(BROADCAST, Instruction.SYNC_WRITE, _words(address, one_length(data)) + items)


def bulk_read(blocks: Mapping[int, tuple[int, int]]) -> Request:
    """Asks each id for its own address and count; each sends a status, in this order."""
    items = b"".join(bytes((id,)) + _words(address, count) for id, (address, count) in blocks.items())
    return Request(BROADCAST, Instruction.BULK_READ, items)


def bulk_write(blocks: Mapping[int, tuple[int, bytes]]) -> Request:
    """Writes to each id data of its own at an address of its own. Nobody answers."""
    items = b"".join(bytes((id,)) + _words(address, len(data)) + data for id, (address, data) in blocks.items())
    return Request(BROADCAST, Instruction.BULK_WRITE, items)


def split_read(parameters: bytes) -> tuple[int, int]:
    """Address and count of a read.

    Raises:
        ValueError: these are no parameters of a read. So for every `split_...` below.
    """
    if len(parameters) != 4:
        raise ValueError(f"a read has 4 bytes of parameters, got {len(parameters)}")
    return _word(parameters, 0), _word(parameters, 2)


def split_write(parameters: bytes) -> tuple[int, bytes]:
    """Address and data of a write or reg write."""
    if len(parameters) < 3:
        raise ValueError("a write has an address and data")
    return _word(parameters, 0), parameters[2:]


def split_sync_read(parameters: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Address, count and ids of a sync read or fast sync read."""
    if len(parameters) < 5:
        raise ValueError("a sync read has an address, a count and ids")
    return _word(parameters, 0), _word(parameters, 2), tuple(parameters[4:])


def split_sync_write(parameters: bytes) -> tuple[int, dict[int, bytes]]:
    """Address of a sync write, and its data by id."""
    step = _word(parameters, 2) + 1
    if len(parameters) < 6 or (len(parameters) - 4) % step:
        raise ValueError("a sync write has an address, a count and as many bytes for each id")
    items = parameters[4:]
    return _word(parameters, 0), {items[k]: items[k + 1 : k + step] for k in range(0, len(items), step)}


def split_bulk_read(parameters: bytes) -> dict[int, tuple[int, int]]:
    """Address and count of a bulk read, by id."""
    if not parameters or len(parameters) % 5:
        raise ValueError("a bulk read has 5 bytes for each id")
    return {parameters[k]: split_read(parameters[k + 1 : k + 5]) for k in range(0, len(parameters), 5)}


def split_bulk_write(parameters: bytes) -> dict[int, tuple[int, bytes]]:
    """Address and data of a bulk write, by id."""
    blocks = {}
    while parameters:
        count = _word(parameters, 3)
        if len(parameters) < 5 + count:
            raise ValueError("a bulk write has an id, an address, a count and as many bytes for each servo")
        blocks[parameters[0]] = (_word(parameters, 1), parameters[5 : 5 + count])
        parameters = parameters[5 + count :]
    return blocks


def _encode(id: int, body: bytes) -> bytes:
    frame = _head(id, len(body) + 2) + body
    return frame + crc16(frame).to_bytes(2, "little")


def _head(id: int, length: int) -> bytes:
    if not (0 <= id <= LARGEST_ID or id == BROADCAST):
        raise ValueError(f"id {id} is neither 0-{LARGEST_ID} nor {BROADCAST} (all)")
    if length + _HEAD > _LONGEST:
        raise ValueError(f"a frame of {length + _HEAD} bytes; the longest has {_LONGEST}")
    return _HEADER + bytes((id,)) + _words(length)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")
