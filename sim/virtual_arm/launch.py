"""A virtual arm as a child process, for tests, benchmarks and whoever needs one for a while."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from hardware.control_socket import ask
from hardware.errors import HardwareError

_END = 10.0


class LaunchedArm:
    """A virtual arm that ends with the `with` block it is used in.

    Args:
        link: where to put its port.
        keys: of `porl-robot virtual-arm`, as in `time_scale=10`.

    Attributes:
        link: the port.
        process: of the arm.

    Raises:
        HardwareError: it did not start; the message is its own.
    """

    def __init__(self, link: Path, **keys: object) -> None:
        self.link = link
        given = [f"link={link}", *(f"{key}={value}" for key, value in keys.items())]
        command = [sys.executable, "-m", "porl_robot", "virtual-arm", *given]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise HardwareError(self.process.communicate()[1].strip())

    def tell(self, faults: str) -> None:
        """Lets `faults` happen from now on, in the words of `faults=`; `clear` ends all."""
        ask(self.link, faults)

    def state(self) -> dict[str, Any]:
        """See `VirtualArm.state`."""
        state: dict[str, Any] = json.loads(ask(self.link, "state"))
        return state

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it by a signal; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(_END)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def __enter__(self) -> LaunchedArm:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
