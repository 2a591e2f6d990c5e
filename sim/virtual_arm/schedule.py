"""Which faults are active."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace

from hardware.errors import HardwareError
from sim.virtual_arm.faults import Fault


class Schedule:
    """Faults in the order of their time.

    Args:
        ids: of the arm's servos.
    """

    def __init__(self, ids: Collection[int]) -> None:
        self._ids = ids
        self._waiting: list[Fault] = []
        self.active: list[Fault] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Puts faults on it.

        Raises:
            HardwareError: one of them befalls a servo that is not there. None was put on it.
        """
        added = list(faults)
        for fault in added:
            for id in fault.ids:
                if id not in self._ids:
                    there = ", ".join(map(str, self._ids))
                    raise HardwareError(f"faults: {fault.kind} ids={id}: no such servo; there are {there}")
        self._waiting = sorted([*self._waiting, *added], key=lambda fault: fault.start)

    def clear(self) -> None:
        """Lets all of them end, those to come included."""
        self._waiting = []
        self.active = [replace(fault, end=-math.inf) for fault in self.active]

    def advance(self, now: float) -> tuple[list[Fault], list[Fault]]:
        """Moves on to `now` [s]; the faults that have ended since, and those that have begun."""
        ended = [fault for fault in self.active if fault.end <= now]
        begun = [fault for fault in self._waiting if fault.start <= now]
        if ended or begun:
            self._waiting = self._waiting[len(begun) :]
            self.active = [fault for fault in self.active if fault.end > now] + begun
        return ended, begun

    def of(self, kind: str) -> list[Fault]:
        """The active faults of a kind."""
        return [fault for fault in self.active if fault.kind == kind]
