"""X-series servos on one bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

FAST_BULK_READ = 0x9A
"""Instruction answered like a fast sync read, from blocks as those of a bulk read."""

_FAST_HEAD, _FAST_OVERHEAD = 8, 4
"""Bytes before the first servo's part of the answer, and of each part beside its data."""


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
        if code in (Instruction.SYNC_READ, Instruction.FAST_SYNC_READ):
            address, count, ids = split_sync_read(given)
            blocks = dict.fromkeys(ids, (address, count))
            return _read(servos, blocks) if code == Instruction.SYNC_READ else _read_fast(servos, blocks)
        if code in (Instruction.BULK_READ, FAST_BULK_READ):
            blocks = split_bulk_read(given)
            return _read(servos, blocks) if code == Instruction.BULK_READ else _read_fast(servos, blocks)
        if code in (Instruction.SYNC_WRITE, Instruction.BULK_WRITE):
            _write(servos, _writes(code, given))
            return []
        return replies_to(servos, request, BROADCAST, lambda code: code == Instruction.PING)


def _read(servos: Sequence[DynamixelServo], blocks: Mapping[int, tuple[int, int]]) -> list[Reply]:
    """One status per servo, in the order of `blocks`, which are address and count by id."""
    replies: list[Reply] = []
    for id, block in blocks.items():
        replies += replies_of(servos, id, partial(_ask, asked=_words(*block)))
    return replies


def _read_fast(servos: Sequence[DynamixelServo], blocks: Mapping[int, tuple[int, int]]) -> list[Reply]:
    """One status that the servos write in turn. Each waits for the one before: it ends at the first that is missing."""
    parts: list[tuple[int, int, bytes]] = []
    delay, missing = 0.0, 0
    for id, (address, count) in blocks.items():
        servo = next((each for each in servos if each.id == id and each.memory["status_level"] >= 1), None)
        if missing or servo is None:
            missing += count + _FAST_OVERHEAD
            parts.append((id, 0, bytes(count)))
            continue
        delay = delay or servo.return_delay
        parts.append((id, servo.alert, servo.read(address, count)))
    whole = encode_fast_status(parts)
    written = whole[: len(whole) - missing]
    return [Reply(BROADCAST, delay, written)] if len(written) > _FAST_HEAD else []


def _ask(servo: Servo, asked: bytes) -> bytes | None:
    return servo.execute(Instruction.READ, asked)


def _writes(code: int, given: bytes) -> Mapping[int, tuple[int, bytes]]:
    """Address and data by id."""
    if code == Instruction.BULK_WRITE:
        return split_bulk_write(given)
    address, data = split_sync_write(given)
    return {id: (address, each) for id, each in data.items()}


def _write(servos: Sequence[DynamixelServo], writes: Mapping[int, tuple[int, bytes]]) -> None:
    for servo in servos:
        if servo.id in writes:
            address, data = writes[servo.id]
            servo.execute(Instruction.WRITE, _words(address) + data, asked=False)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)
