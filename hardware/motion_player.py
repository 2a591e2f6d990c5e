"""An arm behind a serial port, led along a given motion and watched on every cycle of its bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hardware.errors import HardwareError
from hardware.host.messages import Report
from hardware.serial_env import SerialReach
from porl_robot.command import Command, FloatArray

WATCHED = ("commanded", "position", "velocity", "load", "current", "voltage")
"""Of every report: what is kept of it, as it is called there."""

_LOOKS = 4
"""Per bus cycle: of the host's reports only the newest is kept, and none is to be missed."""

_INTERRUPTED = 0.2
"""A pause longer than this is no longer the motion that was asked for [s]."""


@dataclass(frozen=True, eq=False, slots=True)
class Played:
    """What the arm did.

    Attributes:
        began: when the motion began [s], arm time.
        time: when the joints were read, shape (K,) [s], ascending.
        watched: by the names in `WATCHED`, shape (K, n), in the units of `Report`.
    """

    began: float
    time: FloatArray
    watched: Mapping[str, FloatArray]


class MotionPlayer(SerialReach):
    """Armed, supervised and kept safe as in the reach task; what the arm does is said by `play`."""

    name = "identify"
    control_hz = 50.0
    has_success = False

    @property
    def calibration(self) -> str:
        """Hash of the arm's calibration."""
        return self._calibration.hash

    def play(self, positions: FloatArray, hz: float, progress: Callable[[float], None]) -> Played:
        """Leads the arm to the first of `positions`, then through all of them, and holds it at the last.

        Every goal passes the safety chain: a motion beyond the limits is followed as closely as they allow.

        Args:
            positions: shape (T, n), inside the limits [rad].
            hz: so many of them per second of arm time.
            progress: called now and then with the seconds that were played.

        Raises:
            Halted: the operator stopped the arm, or it has a fault.
            HardwareError: the motion was interrupted.
        """
        seen = _Seen()
        try:
            self._move_to(positions[0])
            began = self._clock.now()
            seen.add(self._look())
            played, seconds = 0.0, len(positions) / hz
            while played < seconds:
                self._continue(began, played)
                self._lead(positions[min(round((played + self.dt) * hz), len(positions) - 1)])
                self._watch(began + played + self.dt, seen)
                played = self._clock.now() - began
                progress(min(played, seconds))
        finally:
            self.hold()
        return seen.since(began)

    def _continue(self, began: float, played: float) -> None:
        self.attend()
        late = self._clock.now() - began - played
        if late > _INTERRUPTED:
            raise HardwareError(f"the motion was interrupted for {late:.1f} s after {played:.1f} s; start again")

    def _lead(self, goal: FloatArray) -> None:
        verdict = self.safety(Command.at_rest(self.command_space, goal), self.robot_state(), self.dt)
        if verdict.fault is not None:
            raise HardwareError(f"the motion was refused: {verdict.fault}")
        self._send(verdict.command)

    def _watch(self, until: float, seen: _Seen) -> None:
        """Collects what the host reports until arm time `until`."""
        pause = 1.0 / (_LOOKS * self._robot.bus_hz)
        while (remaining := until - self._clock.now()) > 0.0:
            self._sleep(self._clock.real(min(pause, remaining)))
            seen.add(self._look())


class _Seen:
    """Reports, each once. Kept as arrays: a hundred thousand small objects would make the garbage collector stall the
    motion."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._rows: list[FloatArray] = []

    def add(self, report: Report) -> None:
        if not self._times or report.measured > self._times[-1]:
            self._times.append(report.measured)
            self._rows.append(np.array([getattr(report, name) for name in WATCHED]))

    def since(self, began: float) -> Played:
        rows = np.stack(self._rows, axis=1)
        return Played(began, np.array(self._times), dict(zip(WATCHED, rows, strict=True)))
