"""What a virtual arm does in truth, as its control socket tells it."""

from __future__ import annotations

import json
from pathlib import Path

from hardware.control_socket import ask
from hardware.errors import HardwareError


def true_positions(link: Path) -> list[float]:
    """Angles of the joints of the virtual arm at `link` [rad], in its order.

    Raises:
        HardwareError: it does not tell.
    """
    try:
        return [float(angle) for angle in json.loads(ask(link, "state"))["position"]]
    except (ValueError, KeyError, TypeError, HardwareError) as error:
        raise HardwareError(f"the virtual arm at {link} does not say where its joints are ({error})") from error
