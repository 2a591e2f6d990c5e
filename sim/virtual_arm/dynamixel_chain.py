"""X-series servos on one bus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from hardware.codec.dynamixel import (
    BROADCAST,
    Instruction,
    Parser,
    encode_fast_status,
    split_bulk_read,
    split_bulk_write,
    split_sync_read,
    split_sync_write,
)
from hardware.codec.frame import Frame
from sim.virtual_arm.chain import Chain, Reply, replies_of, replies_to
from sim.virtual_arm.dynamixel_servo import DynamixelServo
from sim.virtual_arm.servo import Servo


class DynamixelChain(Chain):
    """Carries out the instructions of protocol 2.0. Every one of them keeps the servos' watchdogs quiet."""

    def __init__(self, servos: Sequence[DynamixelServo]) -> None:
        self.servos: Sequence[DynamixelServo] = servos

    def parser(self) -> Parser:
        return Parser()

    def execute(self, request: Frame, baud: int) -> list[Reply]:
        if request.is_status:
            return []
        servos = [self.servos[place] for place in self.listening(baud)]
        for servo in servos:
            servo.drive.hear()
        try:
            return self._execute(request, servos)
        except ValueError:
            return []

    def _execute(self, request: Frame, servos: Sequence[DynamixelServo]) -> list[Reply]:
        code, given = request.code, request.parameters
        if code == Instruction.SYNC_READ:
            address, count, ids = split_sync_read(given)
            return _read(servos, ids, dict.fromkeys(ids, (address, count)))
        if code == Instruction.BULK_READ:
            blocks = split_bulk_read(given)
            return _read(servos, blocks, blocks)
        if code == Instruction.FAST_SYNC_READ:
            return _read_fast(servos, *split_sync_read(given))
        if code == Instruction.SYNC_WRITE:
            address, data = split_sync_write(given)
            return _write(servos, {id: (address, each) for id, each in data.items()})
        if code == Instruction.BULK_WRITE:
            return _write(servos, split_bulk_write(given))
        return replies_to(servos, request, BROADCAST, lambda code: code == Instruction.PING)


def _read(servos: Sequence[DynamixelServo], ids: Iterable[int], blocks: Mapping[int, tuple[int, int]]) -> list[Reply]:
    """One status per servo, in the order of `ids`; `blocks` are address and count by id."""
    replies: list[Reply] = []
    for id in ids:
        replies += replies_of(servos, id, partial(_ask, asked=_words(*blocks[id])))
    return replies


def _read_fast(servos: Sequence[DynamixelServo], address: int, count: int, ids: Sequence[int]) -> list[Reply]:
    """One status that the servos write in turn. Each waits for the one before: it ends at the first that is missing."""
    parts = []
    delay = 0.0
    for id in ids:
        servo = next((each for each in servos if each.id == id), None)
        if servo is None or servo.memory["status_level"] < 1:
            break
        delay = delay or servo.return_delay
        parts.append((id, servo.alert, servo.read(address, count)))
    if not parts:
        return []
    promised = [*parts, *((id, 0, bytes(count)) for id in ids[len(parts) :])]
    missing = (len(ids) - len(parts)) * (count + 4)
    whole = encode_fast_status(promised)
    return [Reply(BROADCAST, delay, whole[: len(whole) - missing])]


def _ask(servo: Servo, asked: bytes) -> bytes | None:
    return servo.execute(Instruction.READ, asked)


def _write(servos: Sequence[DynamixelServo], writes: Mapping[int, tuple[int, bytes]]) -> list[Reply]:
    """Writes to each id its data at its address; nobody answers."""
    for servo in servos:
        if servo.id in writes:
            address, data = writes[servo.id]
            servo.execute(Instruction.WRITE, _words(address) + data, asked=False)
    return []


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)
