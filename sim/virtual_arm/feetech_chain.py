"""STS servos on one bus."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.codec.feetech import BROADCAST, Instruction, Parser, split_sync_read, split_sync_write
from hardware.codec.frame import Frame
from sim.virtual_arm.chain import Chain, Reply, replies_of, replies_to
from sim.virtual_arm.feetech_servo import FeetechServo


class FeetechChain(Chain):
    """Carries out Feetech's instructions; what is no instruction is met with silence."""

    def __init__(self, servos: Sequence[FeetechServo]) -> None:
        self.servos: Sequence[FeetechServo] = servos

    def parser(self) -> Parser:
        return Parser()

    def execute(self, request: Frame, baud: int) -> list[Reply]:
        servos = [self.servos[place] for place in self.listening(baud)]
        try:
            return self._execute(request, servos)
        except ValueError:
            return []

    def _execute(self, request: Frame, servos: Sequence[FeetechServo]) -> list[Reply]:
        if request.code == Instruction.SYNC_READ:
            address, count, ids = split_sync_read(request.parameters)
            read = bytes((address, count))
            return [
                reply for id in ids for reply in replies_of(servos, id, lambda s: s.execute(Instruction.READ, read))
            ]
        if request.code == Instruction.SYNC_WRITE:
            address, data = split_sync_write(request.parameters)
            for servo in servos:
                if servo.id in data:
                    servo.execute(Instruction.WRITE, bytes((address,)) + data[servo.id], asked=False)
            return []
        return replies_to(servos, request, BROADCAST, lambda code: code == Instruction.PING)
