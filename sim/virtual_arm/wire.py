"""The bus in time: a byte takes its ten bits, an answer waits for its question."""

from __future__ import annotations

import heapq
from itertools import count
from random import Random

from sim.virtual_arm.chain import Chain
from sim.virtual_arm.disturb import disturbed
from sim.virtual_arm.faults import REPLY
from sim.virtual_arm.schedule import Schedule

_BITS_PER_BYTE = 10
_FORGOTTEN_AFTER = 0.05
"""Servos drop the beginning of a request whose rest does not come for so long [s]."""


class Wire:
    """Takes in what the client sends and holds the answers until the wire would have carried them. Arm seconds."""

    def __init__(self, chain: Chain, schedule: Schedule, random: Random) -> None:
        self._chain = chain
        self._schedule = schedule
        self._random = random
        self._outgoing: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._free = 0.0
        self._baud = 0
        self._parser = chain.parser()

    def receive(self, data: bytes, baud: int, now: float) -> None:
        """Takes in bytes that the client sent at `baud` [bit/s]."""
        if baud <= 0:
            return
        if baud != self._baud or now - self._free > _FORGOTTEN_AFTER:
            self._parser = self._chain.parser()
            self._baud = baud
        byte_time = _BITS_PER_BYTE / baud
        self._free = max(now, self._free) + len(data) * byte_time
        if self._schedule.of("echo"):
            self._send(self._free, data)
        for request in self._parser.feed(data):
            replies = self._chain.execute(request, baud)
            end = self._free + sum(reply.delay + len(reply.data) * byte_time for reply in replies)
            held = end + sum(fault.value for fault in self._schedule.of("latency"))
            faults = [fault for fault in self._schedule.active if fault.kind in REPLY]
            # An adapter hands over a transfer at once, so that on time means at its end.
            for reply in replies:
                for late, piece in disturbed(reply, faults, self._random):
                    self._send(held + late, piece)
            self._free = end

    def take(self, now: float) -> bytes:
        """What has arrived at the client's end by `now`."""
        arrived = b""
        while self._outgoing and self._outgoing[0][0] <= now:
            arrived += heapq.heappop(self._outgoing)[2]
        return arrived

    @property
    def next_arrival(self) -> float | None:
        """When there is something to take, or None where nothing is under way."""
        return self._outgoing[0][0] if self._outgoing else None

    def cut(self) -> None:
        """Loses everything under way."""
        self._outgoing.clear()
        self._parser = self._chain.parser()

    def _send(self, moment: float, data: bytes) -> None:
        heapq.heappush(self._outgoing, (moment, next(self._order), data))
