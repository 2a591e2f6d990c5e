"""A request and the statuses that answer it, on a line where replies come late, twice, damaged or not at all.

A status counts only from an id that was asked and with exactly the length that was asked for. Nothing else tells
the reply to this request from a late one to a request before. So no two requests in a row ask for the same length
where there is room for more, and a length that a reply is missing of rests for a while (`reply_length`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hardware.codec.frame import Frame, FrameParser, Request
from hardware.transport import Transport

_LONGEST_DELAY = 254 * 2e-6  # s, the largest return delay a servo can be set to
_QUIET = 0.002  # wall s of silence after which a late reply is no longer waited for
_REMEMBERED = 0.3  # wall s, or arm s where these are longer, for which a missing reply may still come
_HEARD = 4096  # bytes, more than 253 servos send
_ROUND_TRIPS = 1000
_ECHOES = 4  # of the newest requests may come together: nobody answers some, and a damaged reply is not waited for


class Codec(Protocol):
    """A wire format: the modules `hardware.codec.feetech` and `hardware.codec.dynamixel`."""

    @property
    def STATUS_OVERHEAD(self) -> int:
        """Bytes of a status beside its data."""

    def encode_request(self, id: int, instruction: int, parameters: bytes = b"") -> bytes:
        """The bytes of a request."""

    def Parser(self, longest: int) -> FrameParser:
        """What finds the frames."""

    def refusal(self, error: int) -> str | None:
        """Why the servo did not carry out what it was asked for, or None where it did."""

    def is_spliced(self, frame: Frame, counts: Collection[int]) -> bool:
        """Whether a frame is made of two, of which the second is a status with one of `counts` bytes of data."""


@dataclass
class Statistics:
    """What happened on a bus since it was opened.

    Attributes:
        requests: sent, those that nobody answers included.
        retries: of them, repetitions.
        timeouts: requests for which a reply was missing at the deadline.
        checksum_errors: frames that failed their checksum.
        stale_bytes: thrown away, since they answered nothing that was asked then.
        rejected: frames that answered another request, or the same one twice, or were spliced from two.
        echoes: of our own requests.
        round_trips: from a request to the last of its replies, the newest ones [arm s].
    """

    requests: int = 0
    retries: int = 0
    timeouts: int = 0
    checksum_errors: int = 0
    stale_bytes: int = 0
    rejected: int = 0
    echoes: int = 0
    round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=_ROUND_TRIPS))


@dataclass(frozen=True)
class _Awaited:
    """What an exchange waits for.

    Attributes:
        ids: who is to answer. size: bytes of each status.
        requests: whose echo may come.
    """

    ids: Sequence[int]
    size: int
    requests: Sequence[Request]


class Exchange:
    """Requests and answers on one port. Not to be shared between threads.

    Attributes:
        patience: how much later than the wire explains a reply may be, at the first try and at the repetition
            [wall s]. A lost reply is to cost a control loop little, a busy computer no more than a repetition.
    """

    def __init__(self, transport: Transport, codec: Codec) -> None:
        self.transport, self.codec = transport, codec
        self.statistics = Statistics()
        self.patience: Sequence[float] = (0.01, 0.05)
        self._last = -1
        self._resting: dict[int, float] = {}  # until when, by length [arm s]
        self._sent: deque[tuple[Request, int]] = deque(maxlen=_ECHOES)  # with their bytes
        self._echoed = False  # anything, when last listened to

    def reply_length(self, count: int, room: int) -> int:
        """How many bytes to ask for where `count` are wanted and up to `room` more may be read along.

        The fewest that no reply has that may still come. Where all are resting, waits until one is not.

        Raises:
            Disconnected: the port is gone. So for every method.
        """
        lengths = range(count, count + room + 1)
        for length in lengths:
            if length not in self._resting and length != self._last:
                return length
        now = self.transport.clock.now()
        doubled = now + self.transport.clock.scale * _QUIET  # by then a second copy of the last reply has come
        until, length = min((self._resting.get(length, doubled), length) for length in lengths)
        wait = max(0.0, until - now)
        self.statistics.stale_bytes += self.transport.drain(wait, wait)
        return length

    def may_still_come(self, length: int) -> bool:
        """Whether a reply of that length is missing, so that the next one may be that one."""
        return length in self._resting

    def send(self, request: Request) -> int:
        """Sends what nobody answers; returns how many bytes that are."""
        data = self.codec.encode_request(*request)
        self.statistics.requests += 1
        self.statistics.stale_bytes += self.transport.flush()
        self.transport.write(data)
        self._sent.append((request, len(data)))
        return len(data)

    def ask(
        self,
        request: Request,
        ids: Sequence[int],
        count: int,
        late: float,
        length: int | None = None,
    ) -> dict[int, Frame]:
        """The statuses that answer `request`, by id: with `count` bytes of data, or a refusal.

        Those that are missing `late` [wall s] after the wire explains it, or arrived damaged, are left out. Where
        one status holds the data of several servos, `length` is that of all of it.
        """
        begun = self.transport.clock.now()
        sent = self.send(request)
        size = self.codec.STATUS_OVERHEAD + (count if length is None else length)
        deadline = begun + self._allowance(sent + size * len(ids), len(ids), late)
        awaited = _Awaited(ids, size, [each for each, _ in self._sent])
        # Stuffing makes a status longer by a third at most; our own requests may come back.
        longest = max(count for _, count in self._sent) if self._echoed else sent
        parser = self.codec.Parser(longest=max(size + size // 3, longest))
        echoes = self.statistics.echoes
        found, timed_out = self._collect(parser, awaited, deadline)
        self._echoed = self.statistics.echoes > echoes
        self.statistics.checksum_errors += parser.checksum_errors
        self._last = count
        now = self.transport.clock.now()
        if found:
            self.statistics.round_trips.append(now - begun)
            # What was held up with a stalled line has come before this, and a single straggler does not take so long.
            self._resting = {length: until for length, until in self._resting.items() if until > now}
        if len(found) < len(ids):
            self._resting[count] = now + _REMEMBERED * max(1.0, self.transport.clock.scale)
        if timed_out:
            self.statistics.timeouts += 1
            self._wait_out()
        return found

    def listen(self, request: Request, seconds: float) -> tuple[list[Frame], int]:
        """The statuses that come within `seconds` [arm s] of `request`, and how many bytes belonged to no frame."""
        self.send(request)
        parser = self.codec.Parser(longest=_HEARD)
        frames = parser.feed(self.transport.read(_HEARD, self.transport.clock.now() + seconds)) + parser.end()
        return [
            frame for frame in frames if frame.is_status is not False and not _is_echo(frame, [request])
        ], parser.skipped

    def _collect(self, parser: FrameParser, awaited: _Awaited, deadline: float) -> tuple[dict[int, Frame], bool]:
        """What came of the replies, and whether the others were waited for in vain."""
        found: dict[int, Frame] = {}
        while missing := awaited.size * (len(awaited.ids) - len(found)):
            if parser.pending == 0 and parser.skipped >= missing:
                break  # the missing replies have come, damaged
            data = self.transport.read(max(1, missing - parser.pending), deadline)
            self._accept(parser.feed(data), awaited, found)
            if len(found) < len(awaited.ids) and self.transport.clock.now() >= deadline:
                self._accept(parser.end(), awaited, found)
                return found, len(found) < len(awaited.ids)
        return found, False

    def _accept(self, frames: Iterable[Frame], awaited: _Awaited, found: dict[int, Frame]) -> None:
        count = awaited.size - self.codec.STATUS_OVERHEAD
        for frame in frames:
            if _is_echo(frame, awaited.requests):
                self.statistics.echoes += 1
            elif (
                frame.is_status is not False
                and frame.id in awaited.ids
                and frame.id not in found
                and (len(frame.parameters) == count or (not frame.parameters and self.codec.refusal(frame.code)))
                and not self.codec.is_spliced(frame, {count, self._last, *self._resting})
            ):
                found[frame.id] = frame
            else:
                self.statistics.rejected += 1

    def _allowance(self, count: int, servos: int, late: float) -> float:
        """How long `count` bytes both ways and so many statuses may take [arm s]; `late` as in `ask`."""
        unpunctual = self.transport.clock.scale * (self.transport.latency + late)
        return self.transport.wire_time(count) + servos * _LONGEST_DELAY + unpunctual

    def _wait_out(self) -> None:
        scale = self.transport.clock.scale
        self.statistics.stale_bytes += self.transport.drain(scale * _QUIET, scale * self.patience[0])


def _is_echo(frame: Frame, requests: Collection[Request]) -> bool:
    # On Feetech's wire an echoed read of two bytes looks like its own reply, or like that to the next read.
    return frame.is_status is not True and (frame.id, frame.code, frame.parameters) in requests
