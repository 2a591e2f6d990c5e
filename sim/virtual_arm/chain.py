"""The servos on one bus: who answers a request, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Frame, FrameParser
from sim.virtual_arm.dynamixel_servo import DynamixelServo
from sim.virtual_arm.feetech_servo import FeetechServo
from sim.virtual_arm.servo import Servo


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer on the wire.

    Attributes:
        id: of the servo that gives it; the broadcast id for one that several give together.
        delay: silence before it [s].
        data: its bytes.
    """

    id: int
    delay: float
    data: bytes


class Chain(ABC):
    """Servos on one pair of wires. Of the servos, those hear a request that listen at the baud it was sent with."""

    servos: Sequence[Servo]

    @abstractmethod
    def parser(self) -> FrameParser:
        """One that finds requests."""

    @abstractmethod
    def execute(self, request: Frame, baud: int) -> list[Reply]:
        """Carries a request out; what the servos answer, in order."""


class FeetechChain(Chain):
    """STS servos."""

    def __init__(self, servos: Sequence[FeetechServo]) -> None:
        self.servos = servos

    def parser(self) -> FrameParser:
        return feetech.Parser()

    def execute(self, request: Frame, baud: int) -> list[Reply]:
        servos = [servo for servo in self.servos if servo.listens and servo.baud == baud]
        code, given = request.code, request.parameters
        try:
            if code == feetech.Instruction.SYNC_READ:
                address, count, ids = feetech.split_sync_read(given)
                return _each(servos, ids, lambda servo: servo.execute(feetech.Instruction.READ, bytes((address, count))))
            if code == feetech.Instruction.SYNC_WRITE:
                address, data = feetech.split_sync_write(given)
                for servo in servos:
                    if servo.id in data:
                        servo.execute(feetech.Instruction.WRITE, bytes((address,)) + data[servo.id], asked=False)
                return []
        except ValueError:
            return []
        return _addressed(servos, request, feetech.BROADCAST, feetech.Instruction.PING)


class DynamixelChain(Chain):
    """X-series servos."""

    def __init__(self, servos: Sequence[DynamixelServo]) -> None:
        self.servos = servos

    def parser(self) -> FrameParser:
        return dynamixel.Parser()

    def execute(self, request: Frame, baud: int) -> list[Reply]:
        if request.is_status:
            return []
        servos = [servo for servo in self.servos if servo.listens and servo.baud == baud]
        for servo in servos:
            servo.drive.hear()
        try:
            return self._execute(request, servos)
        except ValueError:
            return []

    def _execute(self, request: Frame, servos: list[DynamixelServo]) -> list[Reply]:
        do, given = dynamixel.Instruction, request.parameters
        if request.code == do.SYNC_READ:
            address, count, ids = dynamixel.split_sync_read(given)
            return _each(servos, ids, lambda servo: servo.execute(do.READ, _words(address, count)))
        if request.code == do.FAST_SYNC_READ:
            return _fast(servos, *dynamixel.split_sync_read(given))
        if request.code == do.BULK_READ:
            blocks = dynamixel.split_bulk_read(given)
            return _each(servos, blocks, lambda servo: servo.execute(do.READ, _words(*blocks[servo.id])))
        if request.code == do.SYNC_WRITE:
            address, data = dynamixel.split_sync_write(given)
            writes = {id: (address, each) for id, each in data.items()}
        elif request.code == do.BULK_WRITE:
            writes = dynamixel.split_bulk_write(given)
        else:
            return _addressed(servos, request, dynamixel.BROADCAST, do.PING)
        for servo in servos:
            if servo.id in writes:
                address, each = writes[servo.id]
                servo.execute(do.WRITE, _words(address) + each, asked=False)
        return []


def _addressed[S: Servo](servos: Sequence[S], request: Frame, broadcast: int, ping: int) -> list[Reply]:
    pass
