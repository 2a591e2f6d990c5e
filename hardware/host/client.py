"""The robot process's hand on the arm host."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hardware.arm.faults import Fault, FaultKind
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.host.channel import ClientEnd
from hardware.host.json_codec import decode, encode
from hardware.host.messages import (
    Begin,
    Close,
    Follow,
    Hold,
    HostState,
    Order,
    Refused,
    Release,
    Report,
    Started,
    Stop,
    TorqueOn,
)
from porl_robot.command import Command

_log = logging.getLogger(__name__)

_SILENCE = 0.05
"""Wall seconds without a report after which it is asked whether the host still lives."""

_CLOSING = 5.0

_SWITCHING = 30.0
"""Wall seconds for the torque of all servos: a hundred requests and more, each late by the adapter's latency."""


class HostDied(HardwareError):
    """The arm host has ended on its own. Feetech servos hold their last goal; Dynamixel's watchdog stops them."""


class NotMoving(HardwareError):
    """The host does not take commands in the state it is in; the message says why and what helps."""


class HostClient:
    """One arm host, from its start to its end. Not to be shared between threads.

    Starting opens the port and checks the arm; the torque stays as it was found.

    Args:
        robot: with the port to open.
        calibration: file of this arm.
        priority: of the messages to the host, in real time (`porl_robot.scheduling`); None where that is not permitted.

    Attributes:
        closed: whether `close` was called.

    Raises:
        HardwareError: the arm did not pass its checks.
    """

    def __init__(self, robot: RobotDescription, calibration: Path, priority: int | None = None) -> None:
        self.clock = Clock(robot.time_scale)
        self._sequence = 0
        self._folder = Path(tempfile.mkdtemp(prefix="porl-arm-"))
        self._errors = self._folder / "host.log"
        self.closed = False
        self._process = self._start()
        self._end = ClientEnd(self._folder, priority)
        try:
            self.started = self._begin(Begin(robot, calibration.absolute(), os.getpid()))
            self._report = self._first()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the host's process."""
        return self._process.pid

    def report(self) -> Report:
        """The newest report.

        Raises:
            HostDied: the host has ended.
        """
        newest = self._end.newest(0.0)
        if newest is None and self.clock.now() - self._report.measured > self.clock.scale * _SILENCE:
            self._require_alive()
        if newest is not None:
            self._report = newest
        return self._report

    @property
    def last(self) -> Report:
        """The last report there is, after `close` as well."""
        return self._report

    def age(self, report: Report) -> float:
        """How long ago the joints in `report` were read [s], arm time."""
        return max(self.clock.now() - report.measured, 0.0)

    def torque_on(self, speed: float, wait: float = _SWITCHING) -> None:
        """Switches the torque on where the arm stands; returns once it is on. The operator has agreed.

        Args:
            speed: share of the robot's limits in (0, 1].
            wait: at most so long [wall s].

        Raises:
            NotMoving: it could not be switched on; says why.
        """
        sequence = self._next()
        self._send(TorqueOn(sequence, self.clock.now(), speed))
        self._await(sequence, HostState.HOLDING, wait, "its torque may still come on: stay clear, then start again")

    def follow(self, command: Command, duration: float) -> None:
        """Be at `command`, moving as it says, in `duration` [s]. Arrays in it: shape (n,)."""
        order = Follow(
            sequence=self._next(),
            sent=self.clock.now(),
            position=tuple(command.values.tolist()),
            velocity=tuple(command.velocity.tolist()),
            acceleration=tuple(command.acceleration.tolist()),
            duration=duration,
        )
        self._send(order)

    def hold(self) -> None:
        """Come to rest and stay; commands may cease."""
        self._send(Hold(self._next(), self.clock.now()))

    def release(self, wait: float = _SWITCHING) -> None:
        """Takes the torque away from an arm that holds; returns once it is gone. Somebody has the arm in their hands.

        While it is gone, every stop but that by a fault turns it on again where the end state is to hold.

        Raises:
            NotMoving: it could not be taken away within `wait` [wall s]; says why.
        """
        sequence = self._next()
        self._send(Release(sequence, self.clock.now()))
        self._await(sequence, HostState.RELEASED, wait, "support the arm, then start again")

    def stop(self) -> None:
        """Come to rest and go into the configured end state, for good."""
        self._send(Stop(self._next(), self.clock.now()))

    def close(self, catch: bool = True) -> None:
        """Brings the arm into its end state and ends the host. May be called twice; never raises.

        Args:
            catch: an arm in somebody's hands gets its torque again where the end state is to hold.
        """
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(HardwareError):
            self._send(Close(self._next(), self.clock.now(), catch))
        try:
            self._process.wait(_CLOSING)
        except subprocess.TimeoutExpired:
            self._process.terminate()
        newest = self._end.newest(0.0)
        if newest is not None:
            self._report = newest
        self._end.close()
        for line in self._said():
            _log.info("arm host: %s", line)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._errors.open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "hardware.host", str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def _begin(self, begin: Begin) -> Started:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        with stdin, stdout:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(encode(begin) + b"\n")
                stdin.flush()
            line = stdout.readline()
        if not line:
            raise HostDied(self._epitaph())
        answer = decode(line)
        if isinstance(answer, Refused):
            raise HardwareError(answer.reason)
        assert isinstance(answer, Started)
        return answer

    def _first(self) -> Report:
        begun = time.monotonic()
        while (report := self._end.newest(0.1)) is None:
            self._require_alive()
            if time.monotonic() - begun > _CLOSING:
                raise HostDied(f"the arm host says nothing; {self._epitaph()}")
        return report

    def _await(self, sequence: int, state: HostState, wait: float, advice: str) -> None:
        """Returns once the host has taken the order and come to `state`.

        Raises:
            NotMoving: it has stopped instead, or has not come there within `wait` [wall s]; then with `advice`.
        """
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            newest = self._end.newest(self.clock.real(0.05))
            self._report = newest or self._report
            if self._report.state is state and self._report.accepted >= sequence:
                return
            if self._report.state in (HostState.FAULT, HostState.STOPPED):
                fault = self._report.fault
                reason = f"{fault.cause}; {fault.remedy}" if fault else f"the arm host is {self._report.state.value}"
                raise NotMoving(reason)
            self._require_alive()
        raise NotMoving(f"the arm host is {self._report.state.value} after {wait:g} s; {advice}")

    def _send(self, order: Order) -> None:
        if not self._end.send(order):
            self._require_alive()
            raise HostDied(f"the arm host takes no orders any more; {self._epitaph()}")

    def _require_alive(self) -> None:
        if self._process.poll() is not None:
            raise HostDied(self._epitaph())

    def _epitaph(self) -> str:
        status = self._process.poll()
        last = self._said()[-1:]
        said = f": {last[0]}" if last else ""
        return f"the arm host has ended (status {status}){said}; start again"

    def _said(self) -> list[str]:
        return self._errors.read_text(errors="replace").splitlines() if self._errors.exists() else []

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence


def as_fault(report: Report) -> Fault | None:
    """The fault that `report` tells of."""
    return None if report.fault is None else Fault(FaultKind(report.fault.kind), report.fault.cause)
