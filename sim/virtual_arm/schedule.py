"""Which faults are active."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from sim.virtual_arm.faults import Fault


class Schedule:
    """Faults in the order of their time."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.active: list[Fault] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Puts faults on it."""
        self._waiting = sorted([*self._waiting, *faults], key=lambda fault: fault.start)

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
