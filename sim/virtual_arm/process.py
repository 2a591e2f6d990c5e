"""The process that is a virtual arm."""

from __future__ import annotations

import json
import logging
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from hardware.clock import Clock
from hardware.errors import HardwareError
from hardware.manifest import Manifest, remove_manifest
from porl_robot.scheduling import HOST_PRIORITY, Punctual, stay_in_memory
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.control import Control
from sim.virtual_arm.effects import apply_faults
from sim.virtual_arm.faults import SERVO, parse_faults
from sim.virtual_arm.port import Port
from sim.virtual_arm.schedule import Schedule
from sim.virtual_arm.wire import Wire

_log = logging.getLogger(__name__)

_TICK = 0.01
"""Arm seconds between two batches of physics while nobody asks anything; not below a wall millisecond."""

_SHORTEST_TICK = 0.001
_WAKING = 60e-6
"""How late a process wakes up, on average: it asks to be woken so much before an answer is due [wall s]."""

_FARTHEST_BEHIND = 0.1
"""More arm time than this is never caught up with: the arm is slower than asked for instead [s]."""

_PRIORITY = HOST_PRIORITY + 10
"""In real time, before every loop that talks to it: no program keeps a real servo from answering."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Process:
    """Moves the arm through time and serves its port until it is told to stop. One thread."""

    def __init__(self, arm: VirtualArm, port: Port, scale: float, schedule: Schedule, seed: int) -> None:
        self._arm, self._port = arm, port
        self._clock = Clock(scale)
        self._schedule = schedule
        self._wire = Wire(arm.chain, schedule, Random(seed))
        self._tick = max(_TICK, scale * _SHORTEST_TICK)
        self._waking = scale * _WAKING
        self._origin = self._clock.now()
        self._stopped = False
        self._warned = False

    def run(self, manifest: Manifest, announce: Callable[[str], None]) -> None:
        """Serves until SIGTERM, SIGINT or SIGHUP, announcing its beginning; leaves nothing behind.

        Raises:
            HardwareError: the link cannot be made.
        """
        link = self._port.link
        with self._stopping_on_signals(), _punctual():
            control = Control(link)
            try:
                manifest.write(link)
                self._port.plug()
                announce(f"virtual {manifest.robot} at {link}; Ctrl-C ends it")
                self._origin = self._clock.now()
                while not self._stopped:
                    self._turn(control)
            finally:
                self._port.unplug()
                remove_manifest(link)
                control.close()

    def _turn(self, control: Control) -> None:
        now = self._now()
        self._deliver(now)
        self._suffer(now)
        self._advance(now)
        ports = [self._port.fileno()] if self._port.is_plugged else []
        ready, _, _ = select.select([*ports, *control.descriptors()], [], [], self._clock.real(self._patience()))
        if self._port.fileno() in ready:
            now = self._now()
            data, baud = self._port.read(), self._port.baud()
            self._advance(now)
            self._wire.receive(data, baud, now)
        control.serve(ready, self._answer)

    def _now(self) -> float:
        return self._clock.now() - self._origin

    def _patience(self) -> float:
        """How long nothing needs to be done [s]."""
        arrival = self._wire.next_arrival
        if arrival is None:
            return self._tick
        return min(max(arrival - self._now() - self._waking, 0.0), self._tick)

    def _advance(self, now: float) -> None:
        behind = now - self._arm.time
        if behind > _FARTHEST_BEHIND + self._tick:
            self._origin += behind - self._tick
            now = self._arm.time + self._tick
            if not self._warned:
                _log.warning(
                    "this machine is too slow for time_scale=%g: the arm's time runs slower", self._clock.scale
                )
                self._warned = True
        self._arm.advance(now)

    def _deliver(self, now: float) -> None:
        arrived = self._wire.take(now + self._waking)
        if arrived and self._port.is_plugged:
            self._port.write(arrived)

    def _suffer(self, now: float) -> None:
        """Lets faults begin and end."""
        ended, begun = self._schedule.advance(now)
        if not ended and not begun:
            return
        apply_faults([fault for fault in self._schedule.active if fault.kind in SERVO], self._arm)
        if self._schedule.of("unplug"):
            self._port.unplug()
            self._wire.cut()
        elif not self._port.is_plugged:
            self._port.plug()

    def _answer(self, line: str) -> str:
        if line == "state":
            return json.dumps(self._arm.state())
        try:
            if line == "clear":
                self._schedule.clear()
            else:
                self._schedule.add(parse_faults(line, self._now()))
        except HardwareError as error:
            return f"refused: {error}"
        return "ok"

    @contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        def stop(number: int, frame: object) -> None:
            self._stopped = True

        before = {number: signal.signal(number, stop) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _punctual() -> Iterator[None]:
    """Asks the kernel for what a servo has by nature: timers without slack (50 us otherwise, half a short reply), a
    memory of its own, and the processor before other programs, where the user may have that."""
    with suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")
    stay_in_memory(unused_too=True)
    scheduling = Punctual(_PRIORITY)
    scheduling.hurry(True)
    try:
        yield
    finally:
        scheduling.hurry(False)
