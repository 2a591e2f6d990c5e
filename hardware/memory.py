"""The memories of the servos on a bus, by addresses: blocks read and written, with one repetition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import NamedTuple

from hardware.clock import Taken
from hardware.codec.frame import Frame
from hardware.errors import NoReply, Refused
from hardware.exchange import Exchange
from hardware.family import Family
from hardware.servos import ServoModel

_ROOM = 24


class Block(NamedTuple):
    """Part of a memory, the error byte of the status it came in, and when that was [arm s]."""

    error: int
    data: bytes
    taken: Taken


class Memories:
    """Blocks of the memories on one port.

    Args:
        servos: by id; shared with the owner, who may add to it.
    """

    def __init__(self, exchange: Exchange, family: Family, servos: Mapping[int, ServoModel]) -> None:
        self._exchange, self._family, self._servos = exchange, family, servos
        self._acknowledging: dict[int, bool] = {}

    def read(self, id: int, begin: int, end: int, patience: Sequence[float] | None = None) -> Block | None:
        """The bytes from `begin` to before `end`, or None where nothing intelligible comes back.

        One try for each of `patience`, by default that of the exchange.

        Raises:
            Refused: the servo does not let them be read.
        """
        for attempt, late in enumerate(patience or self._exchange.patience):
            self._exchange.statistics.retries += attempt
            start, count = self._window(id, begin, end)
            request = self._family.codec.read(id, start, count)
            frame = self._exchange.ask(request, (id,), count, late).get(id)
            if frame is not None:
                self._require_done(id, frame.code, f"show addresses {begin} to {end - 1}")
                return self._block(frame, begin - start, end - start)
        return None

    def read_many(self, ids: Sequence[int], begin: int, end: int) -> dict[int, Block]:
        """The same block of several memories, by id, less those that cannot be had.

        What a joint reply leaves out is asked for alone, since servos behind a silent one may be silent as well.
        """
        if not all(self._servos[id].has_sync_read for id in ids):
            return self._read_each(ids, begin, end, self._exchange.patience)
        found = self._read_jointly(ids, begin, end)
        missing = [id for id in ids if id not in found] if found else []
        self._exchange.statistics.retries += len(missing)
        return found | self._read_each(missing, begin, end, self._exchange.patience[:1])

    def write(self, id: int, begin: int, data: bytes, what: str, repeat: bool) -> bool:
        """Writes a block; whether anything shows that the servo has taken it.

        What is not acknowledged is read back, and where that differs written again if it may be (`repeat`).
        `what` is told where the servo refuses: "take goal_position = 5000".

        Raises:
            NoReply: the servo does not answer at all.
            Refused: it has not taken it.
        """
        request = self._family.codec.write(id, begin, data)
        for attempt, late in enumerate(self._exchange.patience if repeat else self._exchange.patience[-1:]):
            self._exchange.statistics.retries += attempt
            if self._acknowledges(id):
                doubtful = self._exchange.may_still_come(0)
                frame = self._exchange.ask(request, (id,), 0, late).get(id)
                if frame is not None:
                    self._require_done(id, frame.code, what)
                    if not doubtful:
                        return True
            else:
                self._exchange.send(request)
            block = self.read(id, begin, begin + len(data))
            if block is not None and block.data == data:
                return True
        return False

    def forget_status_level(self, id: int) -> None:
        """Has the servo asked again whether it acknowledges writes: it was restarted, or told otherwise."""
        self._acknowledging.pop(id, None)

    def _read_jointly(self, ids: Sequence[int], begin: int, end: int) -> dict[int, Block]:
        for attempt, late in enumerate(self._exchange.patience):
            self._exchange.statistics.retries += attempt
            start, count = self._window(ids[0], begin, end)
            frames = self._family.read_many(self._exchange, ids, start, count, late)
            found = {
                id: self._block(frame, begin - start, end - start) for id, frame in frames.items() if frame.parameters
            }
            if found:
                return found
        return {}

    def _read_each(self, ids: Sequence[int], begin: int, end: int, patience: Sequence[float]) -> dict[int, Block]:
        found = {}
        for id in ids:
            with suppress(Refused):
                block = self.read(id, begin, end, patience)
                if block is not None:
                    found[id] = block
        return found

    def _block(self, frame: Frame, begin: int, end: int) -> Block:
        return Block(frame.code, frame.parameters[begin:end], self._exchange.transport.taken)

    def _window(self, id: int, begin: int, end: int) -> tuple[int, int]:
        """Where to begin to read, and how many bytes, to have those from `begin` to `end`.

        Neighbouring bytes may be read along, for which see `Exchange.reply_length`.
        """
        behind = self._readable(id, range(end, end + _ROOM))
        before = self._readable(id, range(begin - 1, begin - 1 - _ROOM, -1))
        count = self._exchange.reply_length(end - begin, max(behind, before))
        return (end - count if before > behind else begin), count

    def _readable(self, id: int, addresses: Iterable[int]) -> int:
        """How many addresses in a row, from the first, can be read."""
        return sum(1 for _ in takewhile(self._servos[id].readable.__contains__, addresses))

    def _acknowledges(self, id: int) -> bool:
        if id not in self._acknowledging:
            level = self._servos[id].registers["status_level"]
            block = self.read(id, level.address, level.end)
            if block is None:
                raise silent(self._exchange.transport.port, id)
            self._acknowledging[id] = level.decode(block.data, "little") >= self._servos[id].acknowledging
        return self._acknowledging[id]

    def _require_done(self, id: int, error: int, what: str) -> None:
        reason = self._family.codec.refusal(error)
        if reason is not None:
            raise Refused(f"{self._exchange.transport.port}: servo {id} did not {what}: {reason}")


def silent(port: str, id: int) -> NoReply:
    """The error that a servo does not answer."""
    return NoReply(f"{port}: servo {id} does not answer; check its supply, its cable and its id")
