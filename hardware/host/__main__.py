"""`python -m hardware.host FOLDER`: owns an arm's port. Started by `hardware.host.client`, not by hand.

It reads one `Begin` from standard input, answers on standard output with `Started` or `Refused`, and from then on
hears and speaks over the sockets in FOLDER. It has a session of its own, so that neither Ctrl-C nor the death of the
robot process ends it before the arm is safe.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import shutil
import signal
import sys
from pathlib import Path

from hardware.arm.driver import Arm, open_arm
from hardware.clock import Clock
from hardware.errors import HardwareError
from hardware.host.channel import HostEnd
from hardware.host.json_codec import decode, encode
from hardware.host.loop import Loop
from hardware.host.messages import Begin, Refused, Started
from hardware.host.owner import Owner
from porl_robot.scheduling import HOST_PRIORITY, described, real_time, stay_in_memory


def main() -> int:
    """Serves one arm; returns the exit status."""
    folder = Path(sys.argv[1])
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin = decode(sys.stdin.buffer.readline())
    assert isinstance(begin, Begin)
    owner, clock = Owner(begin.owner), Clock(begin.robot.time_scale)
    try:
        arm = open_arm(begin.robot, begin.calibration, clock)
    except HardwareError as error:
        _answer(Refused(str(error)))
        return 1
    try:
        _serve(arm, begin, folder, owner, clock)
    finally:
        arm.close()
        # The folder is the client's as long as it lives: it looks there for the reason of a death.
        if owner.gone:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _serve(arm: Arm, begin: Begin, folder: Path, owner: Owner, clock: Clock) -> None:
    stay_in_memory(unused_too=True)
    scheduling = described(real_time(HOST_PRIORITY), HOST_PRIORITY)  # before the sockets, whose thread takes it over
    end = HostEnd(folder)
    loop = Loop(arm, begin.robot, end, owner, clock)
    signal.signal(signal.SIGTERM, lambda *_: loop.leave())
    gc.freeze()
    limits = arm.limits
    _answer(
        Started(
            scheduling=scheduling,
            measured=tuple(arm.telemetry.position.tolist()),
            lower=tuple(limits.lower.tolist()),
            upper=tuple(limits.upper.tolist()),
        )
    )
    try:
        loop.run()
    finally:
        end.close()


def _answer(message: Started | Refused) -> None:
    # A client that is gone already is no reason to leave the arm.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(encode(message) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
