"""The back door of a virtual arm, as its clients see it: one line in, one line out."""

from __future__ import annotations

import socket
from pathlib import Path

from hardware.errors import HardwareError

_PATIENCE = 5.0  # wall s


def control_path(link: Path) -> Path:
    """The socket of the virtual arm at `link`."""
    return link.with_name(link.name + ".control")


def ask(link: Path, line: str) -> str:
    """What the virtual arm at `link` answers to `line`: faults as in `faults=`, `clear`, or `state`.

    Raises:
        HardwareError: there is none, or it refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(control_path(link)))
            connection.sendall((line + "\n").encode())
            answer = connection.makefile().readline().strip()
    except OSError as error:
        raise HardwareError(f"{control_path(link)}: no virtual arm answers ({error})") from error
    if answer.startswith("refused: "):
        raise HardwareError(answer.removeprefix("refused: "))
    return answer
