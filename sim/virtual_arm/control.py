"""A back door for tests and demonstrations: faults on demand, and the truth about the arm."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hardware.errors import HardwareError

_PATIENCE = 0.2
_LONGEST = 4096


def control_path(link: Path) -> Path:
    """The socket of the virtual arm at `link`."""
    return link.with_name(link.name + ".control")


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

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def serve(self, answer: Callable[[str], str]) -> None:
        """Lets `answer` answer one client."""
        connection, _ = self._socket.accept()
        with connection, suppress(OSError):
            connection.settimeout(_PATIENCE)
            line = connection.recv(_LONGEST).decode(errors="replace").strip()
            connection.sendall((answer(line) + "\n").encode())

    def close(self) -> None:
        """Takes the socket away."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def ask(link: Path, line: str) -> str:
    """What the virtual arm at `link` answers to `line`: faults as in `faults=`, `clear`, or `state`.

    Raises:
        HardwareError: there is none, or it refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            connection.connect(str(control_path(link)))
            connection.sendall((line + "\n").encode())
            answer = connection.makefile().readline().strip()
    except OSError as error:
        raise HardwareError(f"{control_path(link)}: no virtual arm answers ({error})") from error
    if answer.startswith("refused: "):
        raise HardwareError(answer.removeprefix("refused: "))
    return answer
