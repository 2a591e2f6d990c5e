"""Entry point of `porl-robot`."""

from __future__ import annotations

import signal
import sys

from porl_robot.threads import limit_threads

limit_threads()

from porl_robot.cli import run  # noqa: E402 - the limits have to be set before NumPy is imported


def main() -> None:
    """Runs the command line and exits with its code.

    SIGTERM ends a run as safely as Ctrl-C does, and so does a terminal that is closed, but for `nohup`.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
