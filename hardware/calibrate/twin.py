"""What a virtual arm does in truth, as its control socket tells it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from hardware.errors import HardwareError

_PATIENCE = 5.0  # wall s


def true_positions(link: Path) -> list[float]:
    """Angles of the joints of the virtual arm at `link` [rad], in its order.

    Raises:
        HardwareError: it does not tell.
    """
    path = link.with_name(f"{link.name}.control")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(path))
            connection.sendall(b"state\n")
            answer = connection.makefile().readline()
        return [float(angle) for angle in json.loads(answer)["position"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HardwareError(f"{path}: the virtual arm does not say where its joints are ({error})") from error
