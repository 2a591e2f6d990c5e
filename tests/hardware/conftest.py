"""Servos that are nothing but their memories, on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Frame
from hardware.servos import ServoModel

Tamper = Callable[[bytes, list[bytes]], list[tuple[float, bytes]]]


class RegisterServer:
    """Answers at the far end of a pseudo-terminal as servos do.

    `tamper` makes of a request and the replies to it what is really sent: pieces, each after a pause [s]. A piece after
    a negative pause does not hold up the others: it comes by itself so much later.
    """

    def __init__(self, servos: dict[int, ServoModel]) -> None:
        self.servos = servos
        self.memory = {id: servo.factory_memory() for id, servo in servos.items()}
        self.error = dict.fromkeys(servos, 0)
        self.dead: set[int] = set()
        self.unknown: set[int] = set()  # instructions that old firmware does not have
        self.speed: int | None = None  # termios constant of the only baud that is understood
        self.tamper: Tamper = lambda request, replies: [(0.0, b"".join(replies))]
        self.heard: list[Frame] = []
        self._codec: ModuleType = feetech if next(iter(servos.values())).protocol == "feetech" else dynamixel
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        self.port = os.ttyname(self._far)
        self._timers: list[threading.Timer] = []
        self._woken, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def set(self, id: int, register: str, value: int) -> None:
        entry = self.servos[id].registers[register]
        self.memory[id][entry.address : entry.end] = entry.encode(value, self.servos[id].order)

    def get(self, id: int, register: str) -> int:
        entry = self.servos[id].registers[register]
        return entry.decode(bytes(self.memory[id][entry.address : entry.end]), self.servos[id].order)

    def say(self, data: bytes) -> None:
        os.write(self._near, data)

    def unplug(self) -> None:
        os.write(self._waker, b"x")
        self._thread.join()
        for timer in self._timers:
            timer.cancel()
            timer.join()
        for descriptor in (self._near, self._far, self._woken, self._waker):
            os.close(descriptor)
        self._near = -1

    def close(self) -> None:
        if self._near >= 0:
            self.unplug()

    def _serve(self) -> None:
        parser = self._codec.Parser()
        while self._woken not in select.select([self._near, self._woken], [], [])[0]:
            data = os.read(self._near, 4096)
            if self.speed is not None and termios.tcgetattr(self._near)[5] != self.speed:
                continue
            for frame in parser.feed(data):
                self.heard.append(frame)
                request = self._codec.encode_request(frame.id, frame.code, frame.parameters)
                for pause, piece in self.tamper(request, self._replies(frame)):
                    if pause < 0.0:
                        self._timers.append(threading.Timer(-pause, os.write, (self._near, piece)))
                        self._timers[-1].start()
                    else:
                        time.sleep(pause)
                        os.write(self._near, piece)

    def _replies(self, frame: Frame) -> list[bytes]:
        instruction = self._codec.Instruction
        everyone = frame.id == self._codec.BROADCAST
        ids = [id for id in self.servos if everyone or id == frame.id]
        if frame.code in self.unknown:
            return []
        if frame.code == instruction.PING:
            return [self._status(id, self._identity(id)) for id in ids if id not in self.dead]
        if frame.code == instruction.READ:
            return self._blocks(ids, *self._codec.split_read(frame.parameters))
        if frame.code == instruction.SYNC_READ:
            address, count, wanted = self._codec.split_sync_read(frame.parameters)
            return self._blocks(wanted, address, count)
        return self._writes(frame, ids, everyone)

    def _writes(self, frame: Frame, ids: list[int], everyone: bool) -> list[bytes]:
        if frame.code == self._codec.Instruction.WRITE:
            address, data = self._codec.split_write(frame.parameters)
            return [reply for id in ids if id not in self.dead for reply in self._write(id, address, data, everyone)]
        if frame.code == self._codec.Instruction.SYNC_WRITE:
            address, items = self._codec.split_sync_write(frame.parameters)
            for id, data in items.items():
                self._write(id, address, data, everyone=True)
            return []
        return self._dynamixel_replies(frame, ids)

    def _dynamixel_replies(self, frame: Frame, ids: list[int]) -> list[bytes]:
        if frame.code == dynamixel.Instruction.REBOOT:
            return [self._status(id, b"") for id in ids]
        if frame.code == dynamixel.Instruction.FAST_SYNC_READ:
            address, count, wanted = dynamixel.split_sync_read(frame.parameters)
            parts = [(id, self.error[id], self._bytes(id, address, count)) for id in wanted]
            return [] if self.dead.intersection(wanted) else [dynamixel.encode_fast_status(parts)]
        raise AssertionError(frame)

    def _blocks(self, ids: list[int] | tuple[int, ...], address: int, count: int) -> list[bytes]:
        return [self._status(id, self._bytes(id, address, count)) for id in ids if id not in self.dead]

    def _bytes(self, id: int, address: int, count: int) -> bytes:
        return bytes(self.memory[id][address : address + count]).ljust(count, b"\0")

    def _identity(self, id: int) -> bytes:
        memory = self.memory[id]
        return bytes((*memory[:2], memory[6])) if self._codec is dynamixel else b""

    def _write(self, id: int, address: int, data: bytes, everyone: bool) -> list[bytes]:
        servo = self.servos[id]
        error = self.error[id]
        if self._codec is dynamixel and address < 64 and self.get(id, "torque_enable"):
            error |= dynamixel.Error.ACCESS
        else:
            self.memory[id][address : address + len(data)] = data
        answers = self.get(id, "status_level") >= servo.acknowledging and not everyone
        return [self._codec.encode_status(id, error)] if answers else []

    def _status(self, id: int, data: bytes) -> bytes:
        status: bytes = self._codec.encode_status(id, self.error[id], data)
        return status


@pytest.fixture
def serve() -> Iterator[Callable[[dict[int, ServoModel]], RegisterServer]]:
    """Makes servers that end with the test."""
    made: list[RegisterServer] = []

    def start(servos: dict[int, ServoModel]) -> RegisterServer:
        made.append(RegisterServer(servos))
        return made[-1]

    yield start
    for server in made:
        server.close()
