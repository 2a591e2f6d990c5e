"""Bytes to and from a serial port, with deadlines."""

from __future__ import annotations

import logging
import os
import select
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from hardware.clock import Clock, Taken
from hardware.errors import Disconnected
from hardware.port import open_port, set_low_latency
from hardware.port_guard import PortGuard

_log = logging.getLogger(__name__)

_BITS_PER_BYTE = 10
_CHUNK = 4096
_SLOW_TIMER = 0.002


class Transport:
    """A serial port that this process owns alone. Not to be shared between threads.

    Times are arm time (`Clock`): the wire of a virtual arm that runs faster is faster as well.

    Attributes:
        port, baud: as opened.
        clock: of the arm.
        latency: how long the adapter may hold bytes back [wall s].
        taken: when the newest request was written and the newest byte that was read had come [arm s].

    Raises:
        HardwareError: the port cannot be opened; see `open_port`.
    """

    def __init__(self, port: str, baud: int, clock: Clock | None = None) -> None:
        self.port, self.baud = port, baud
        self.clock = clock or Clock()
        self.taken = Taken(self.clock.now(), self.clock.now())
        self._guard = PortGuard(port)
        try:
            self._serial = open_port(port, baud)
        except BaseException:
            self._guard.release()
            raise
        self._poll = select.poll()
        self._poll.register(self._serial.fileno(), select.POLLIN)
        self.latency = set_low_latency(self._serial)
        if self.latency > _SLOW_TIMER:
            _log.warning(
                "%s: the adapter holds replies back for %.0f ms; the udev rule in docs/hardware.md ends that",
                port,
                1000.0 * self.latency,
            )

    def wire_time(self, count: int) -> float:
        """Arm seconds that `count` bytes take on the wire."""
        return _BITS_PER_BYTE * count / self.baud

    def flush(self) -> int:
        """Throws away what has come in; returns how many bytes.

        Raises:
            Disconnected: so for every method but `close`.
        """
        with self._translated():
            self._serial.fileno()  # raises where the port is closed; what follows would be a TypeError
            waiting = int(self._serial.in_waiting)
            if waiting:
                self._serial.reset_input_buffer()
            return waiting

    def write(self, data: bytes) -> None:
        """Hands `data` to the driver."""
        with self._translated():
            descriptor = self._serial.fileno()
            rest = data
            self.taken = self.taken._replace(asked=self.clock.now())
            while rest:  # pyserial's own write waits for room before and after, which costs more than the write
                rest = rest[os.write(descriptor, rest) :]

    def read(self, count: int, deadline: float) -> bytes:
        """Up to `count` bytes: all of them, or those that have come by `deadline` [arm s]."""
        data = bytearray()
        with self._translated():
            while len(data) < count and self._wait(deadline):
                data += self._take(count - len(data))
                self.taken = self.taken._replace(heard=self.clock.now())
        return bytes(data)

    def drain(self, quiet: float, limit: float) -> int:
        """Throws away what comes until nothing has come for `quiet`, for `limit` at most [arm s]; returns how much."""
        thrown = 0
        end = self.clock.now() + limit
        with self._translated():
            while self._wait(min(self.clock.now() + quiet, end)):
                thrown += len(self._take(_CHUNK))
                if self.clock.now() >= end:
                    break
        return thrown

    def close(self) -> None:
        """Gives the port back. Never raises; may be called twice."""
        with suppress(OSError, termios.error):
            self._serial.close()
        self._guard.release()

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, deadline: float) -> bool:
        """Whether there is something to read, or to find out about, by `deadline`; looks once even if it has passed."""
        self._serial.fileno()  # raises where the port is closed; the poll would wait for a number that means nothing
        remaining = self.clock.real(deadline - self.clock.now())
        return bool(self._poll.poll(max(0.0, 1000.0 * remaining)))

    def _take(self, count: int) -> bytes:
        data = os.read(self._serial.fileno(), count)
        if not data:
            raise OSError("readable, but there is nothing to read")
        return data

    @contextmanager
    def _translated(self) -> Iterator[None]:
        # An unplugged port raises SerialException (an OSError), a bare OSError, or termios.error, which is neither.
        try:
            yield
        except (OSError, termios.error) as error:
            self.close()
            raise Disconnected(
                f"{self.port}: disconnected ({error}); plug it in again and look at the arm before arming it"
            ) from error
