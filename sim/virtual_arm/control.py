"""A back door for tests and demonstrations: faults on demand, and the truth about the arm."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hardware.control_socket import control_path
from hardware.errors import HardwareError

_PATIENCE = 5.0
"""A client has so long for its line [wall s]. Nobody waits for it meanwhile, the arm least of all."""

_LONGEST, _MOST = 4096, 16
"""Bytes of a line, and clients at a time; more of them wait in the socket's own queue."""


@dataclass
class _Client:
    """A connection, what came over it so far, and when it began [s]."""

    connection: socket.socket
    since: float
    heard: bytes = b""

    def hear(self) -> bool:
        """Takes in what there is; whether the client is still there and may have more to say."""
        try:
            received = self.connection.recv(_LONGEST)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.heard += received
        return bool(received)

    def tell(self, answer: str) -> None:
        """Says one line and ends the connection. Fits the socket's buffer, so that it never waits."""
        with self.connection, suppress(OSError):
            self.connection.sendall((answer + "\n").encode())


class Control:
    """A Unix socket beside the link. One line in, one line out, and the connection ends.

    Raises:
        HardwareError: it cannot be made.
    """

    def __init__(self, link: Path) -> None:
        self._path = control_path(link)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            raise HardwareError(f"link={link}: {self._path} cannot be made ({error})") from error
        self._socket.listen()
        self._clients: dict[int, _Client] = {}

    def descriptors(self) -> list[int]:
        """Those to wait on."""
        return [*self._clients, *([self._socket.fileno()] if len(self._clients) < _MOST else [])]

    def serve(self, ready: Container[int], answer: Callable[[str], str]) -> None:
        """Lets `answer` answer the clients whose line is there. Never waits.

        Args:
            ready: descriptors at which there is something.
            answer: takes a line and gives one.
        """
        if self._socket.fileno() in ready:
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            self._clients[connection.fileno()] = _Client(connection, time.monotonic())
        for descriptor, client in list(self._clients.items()):
            stays = descriptor not in ready or client.hear()
            said = self._said(client, stays, answer)
            if said is not None:
                del self._clients[descriptor]
                client.tell(said)

    def close(self) -> None:
        """Takes the socket away."""
        for client in self._clients.values():
            client.connection.close()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _said(self, client: _Client, stays: bool, answer: Callable[[str], str]) -> str | None:
        """What a client is told; None while it may go on. Who ends its sending has ended its line."""
        line, end, _ = client.heard.partition(b"\n")
        if len(line) > _LONGEST:
            return f"refused: a line has at most {_LONGEST} bytes"
        if end or not stays:
            return answer(line.decode(errors="replace").strip())
        if time.monotonic() - client.since > _PATIENCE:
            return f"refused: no whole line came within {_PATIENCE:g} s; end it with a newline"
        return None
