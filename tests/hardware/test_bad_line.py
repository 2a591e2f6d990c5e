"""Replies that are damaged, late, doubled, cut, split, echoed or lost: no wrong value is ever taken."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from hardware.bus import Bus
from hardware.clock import Clock
from hardware.codec import dynamixel
from hardware.dynamixel_bus import DynamixelFamily
from hardware.errors import NoReply, Refused
from hardware.feetech_bus import FeetechFamily
from hardware.servos import SERVOS
from hardware.transport import Transport

UNHURRIED = (0.5, 0.5)
"""Wall seconds that a reply may be late by where only this computer may be busy."""

IDS = (1, 2, 3, 4, 5, 6)
SERVO = {"feetech": SERVOS["STS3215"], "dynamixel": SERVOS["XL330-M288"]}
FAMILY = {"feetech": FeetechFamily, "dynamixel": lambda: DynamixelFamily(fast=True)}
TELEMETRY = {
    "feetech": ("present_position", "present_current"),
    "dynamixel": ("present_current", "present_temperature"),
}

Pieces = list[tuple[float, bytes]]
Fault = Callable[[random.Random, bytes, list[bytes]], Pieces]


def flipped(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    data = bytearray(b"".join(replies))
    bit = draw.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    return [(0.0, bytes(data))]


def lost(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    kept = list(replies)
    del kept[draw.randrange(len(kept))]
    return [(0.0, b"".join(kept))]


def late(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    return [(draw.uniform(0.005, 0.04), b"".join(replies))]


def overtaken(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    kept = list(replies)
    straggler = kept.pop(draw.randrange(len(kept)))
    return [(0.0, b"".join(kept)), (-draw.uniform(0.001, 0.08), straggler)]


def truncated(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    data = b"".join(replies)
    return [(0.0, data[: draw.randrange(len(data))])]


def doubled(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    return [(0.0, b"".join(replies)), (draw.choice((0.0, 0.0005)), b"".join(replies))]


def split(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    data = b"".join(replies)
    cut = draw.randrange(len(data))
    return [(0.0, data[:cut]), (0.001, data[cut:])]


def echoed(draw: random.Random, request: bytes, replies: list[bytes]) -> Pieces:
    return [(0.0, request + b"".join(replies))]


FAULTS: dict[str, Fault] = {
    each.__name__: each for each in (flipped, lost, late, overtaken, truncated, doubled, split, echoed)
}


class BadLine:
    """Makes every n-th reply a bad one, on average."""

    def __init__(self, seed: int, share: float, *kinds: str) -> None:
        self._draw, self._share, self._kinds = random.Random(seed), share, kinds

    def __call__(self, request: bytes, replies: list[bytes]) -> Pieces:
        if not replies or self._draw.random() > self._share:
            return [(0.0, b"".join(replies))]
        return FAULTS[self._draw.choice(self._kinds)](self._draw, request, replies)


@pytest.fixture(params=["feetech", "dynamixel"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(serve: Callable[..., Any], protocol: str) -> Any:
    return serve(dict.fromkeys(IDS, SERVO[protocol]))


@pytest.fixture
def bus(server: Any, protocol: str) -> Iterator[Bus]:
    made = Bus(Transport(server.port, 1_000_000, Clock()), FAMILY[protocol](), server.servos)
    yield made
    made.close()


def cycle(bus: Bus, server: Any, protocol: str, number: int) -> tuple[int, int]:
    """Goals out, telemetry in; how many values came, and how many of them were not the present ones."""
    for id in IDS:
        server.set(id, "present_position", (7 * number + id) % 4096)
        server.set(id, "present_velocity", -(number % 500))
    bus.sync_write("goal_position", {id: number % 4096 for id in IDS})
    readings = bus.sync_read(IDS, *TELEMETRY[protocol])
    wrong = sum(
        (reading["present_position"], reading["present_velocity"]) != ((7 * number + id) % 4096, -(number % 500))
        for id, reading in readings.items()
    )
    return len(readings), wrong


@pytest.mark.parametrize("kind", FAULTS)
def test_one_kind_of_fault(bus: Bus, server: Any, protocol: str, kind: str) -> None:
    server.tamper = BadLine(3, 0.5, kind)
    outcomes = [cycle(bus, server, protocol, number) for number in range(30)]
    assert sum(wrong for _, wrong in outcomes) == 0
    assert sum(came for came, _ in outcomes) >= 0.6 * len(IDS) * len(outcomes)


@pytest.mark.parametrize("seed", range(2))
def test_everything_at_once(bus: Bus, server: Any, protocol: str, seed: int) -> None:
    server.tamper = BadLine(seed, 0.3, *FAULTS)
    outcomes = [cycle(bus, server, protocol, number) for number in range(100)]
    assert sum(wrong for _, wrong in outcomes) == 0
    server.tamper = BadLine(seed, 0.0, "lost")
    time.sleep(0.1)
    bus._exchange.patience = UNHURRIED
    assert cycle(bus, server, protocol, 4000) == (len(IDS), 0)
    assert bus.statistics.retries > 0 and bus.statistics.timeouts > 0


@pytest.mark.slow
def test_many_cycles(bus: Bus, server: Any, protocol: str) -> None:
    server.tamper = BadLine(11, 0.2, *FAULTS)
    outcomes = [cycle(bus, server, protocol, number) for number in range(20_000)]
    assert sum(wrong for _, wrong in outcomes) == 0
    assert sum(came for came, _ in outcomes) >= 0.9 * len(IDS) * len(outcomes)


def test_single_registers_are_never_mixed_up(bus: Bus, server: Any) -> None:
    server.tamper = BadLine(5, 0.4, *FAULTS)
    registers = [name for name, entry in server.servos[1].registers.items() if entry.size == 2][:12]
    for number, name in enumerate(registers):
        server.set(2, name, 100 + number)
    came = 0
    for _ in range(6):
        for number, name in enumerate(registers):
            try:
                assert bus.read(2, name) == 100 + number
                came += 1
            except NoReply:
                continue
    assert came >= 50


def test_a_stalled_line_that_lets_everything_through_at_once(bus: Bus, server: Any, protocol: str) -> None:
    held: list[bytes] = []

    def stall(request: bytes, replies: list[bytes]) -> Pieces:
        held.extend(replies)
        return []

    def release(request: bytes, replies: list[bytes]) -> Pieces:
        everything = b"".join((*held, *replies))
        held.clear()
        return [(0.0, everything)]

    for stalled in range(1, 4):
        server.tamper = stall
        bus._exchange.patience = (0.01, 0.02)
        for number in range(stalled):
            assert cycle(bus, server, protocol, number) == (0, 0)
        server.tamper = release
        bus._exchange.patience = UNHURRIED
        assert cycle(bus, server, protocol, 1000 + stalled) == (len(IDS), 0)


def test_an_adapter_that_echoes_everything(bus: Bus, server: Any, protocol: str) -> None:
    bus._exchange.patience = UNHURRIED
    server.tamper = lambda request, replies: [(0.0, request + b"".join(replies))]
    for number in range(20):
        assert cycle(bus, server, protocol, number) == (len(IDS), 0)
    bus.write(1, "goal_position", 77)
    assert bus.read(1, "goal_position") == 77 and bus.ping(1) == server.servos[1].number
    assert bus.statistics.echoes > 20 and bus.statistics.timeouts == 0


def test_a_reading_is_as_old_as_its_own_reply(bus: Bus, server: Any, protocol: str) -> None:
    bus._family._failures = 3  # in a fast reply all would be missing
    server.tamper = lambda request, replies: [(0.0, b"".join(replies[:-1] if len(replies) == len(IDS) else replies))]
    bus._exchange.patience = (0.1, 0.1)
    readings = bus.sync_read(IDS, *TELEMETRY[protocol])
    assert list(readings) == list(IDS)
    *others, repeated = (readings[id].taken.heard for id in IDS)
    assert max(others) - min(others) < 0.01 and repeated - max(others) > 0.09


def test_a_damaged_reply_on_an_echoing_line_is_not_waited_for(bus: Bus, server: Any, protocol: str) -> None:
    def damage(request: bytes, replies: list[bytes]) -> Pieces:
        data = bytearray(b"".join(replies))
        if number % 2 and replies:
            data[-2] ^= 0x10
        return [(0.0, request + bytes(data))]

    server.tamper = damage
    bus._exchange.patience = UNHURRIED
    for number in range(8):
        bus.sync_write("goal_position", {id: number for id in IDS})
        with suppress(NoReply):
            bus.read(1, "id")
    assert bus.statistics.checksum_errors >= 4 and bus.statistics.timeouts == 0


@pytest.mark.parametrize("protocol", ["dynamixel"])
def test_a_refusal_is_not_the_echo_of_a_ping(bus: Bus, server: Any) -> None:
    bus.write(1, "goal_position", 5)
    bus.ping(1)
    status = dynamixel.encode_status(1, dynamixel.Error.RESULT)
    server.tamper = lambda request, replies: [(0.0, status)]
    with pytest.raises(Refused, match="could not carry it out"):
        bus.write(1, "goal_position", 7)


def test_a_late_echo_of_the_goals_is_not_a_damaged_reply(bus: Bus, server: Any, protocol: str) -> None:
    bus._exchange.patience = UNHURRIED
    server.tamper = lambda request, replies: [(0.0005, request + b"".join(replies))]
    for number in range(20):
        bus.sync_write("goal_position", {id: number for id in IDS})
        assert bus.read(1, "id") == 1
    assert bus.statistics.retries <= 1 and bus.statistics.timeouts == 0  # the first echo comes unexpected


def test_an_echo_without_a_reply_is_no_reply(bus: Bus, server: Any, protocol: str) -> None:
    server.tamper = lambda request, replies: [(0.0, request)]
    for name in ("present_velocity", "present_position", "id"):
        with pytest.raises(NoReply):
            bus.read(1, name)
    with pytest.raises(NoReply):
        bus.ping(1)
    assert cycle(bus, server, protocol, 1) == (0, 0)


def test_a_damaged_reply_is_asked_for_again_without_waiting(bus: Bus, server: Any, protocol: str) -> None:
    damaged = iter([True])

    def damage(request: bytes, replies: list[bytes]) -> Pieces:
        data = bytearray(b"".join(replies))
        if replies and next(damaged, False):
            data[-4] ^= 0x10
        return [(0.0, bytes(data))]

    server.tamper = damage
    bus._exchange.patience = UNHURRIED
    assert cycle(bus, server, protocol, 1) == (len(IDS), 0)
    assert bus.statistics.timeouts == 0 and bus.statistics.checksum_errors == 1 and bus.statistics.retries == 1


def test_a_write_whose_acknowledgement_is_lost_is_read_back(bus: Bus, server: Any) -> None:
    bus.write(1, "goal_position", 5)
    written = 3
    server.tamper = lambda request, replies: [(0.0, b"" if written in request[4:8:3] else b"".join(replies))]
    before = len(server.heard)
    bus.write(1, "goal_position", 6)
    assert server.get(1, "goal_position") == 6
    assert len([frame for frame in server.heard[before:] if frame.code == written]) == 1


def test_an_acknowledgement_that_may_be_a_late_one_proves_nothing(bus: Bus, server: Any) -> None:
    bus.write(1, "goal_position", 5)
    acknowledgement = server._codec.encode_status(1, 0)
    server.tamper = lambda request, replies: [(0.0, b"".join(replies).replace(acknowledgement, b""))]
    bus.write(1, "goal_position", 6)
    server.memory[1] = Stubborn(server.memory[1])
    server.tamper = lambda request, replies: [(0.0, b"".join(replies))]
    with pytest.raises(NoReply, match="goal_position = 7"):
        bus.write(1, "goal_position", 7)


class Stubborn(bytearray):
    """A memory that acknowledges what it does not keep."""

    def __setitem__(self, where: Any, value: Any) -> None:
        return


def test_a_status_cut_short_by_a_late_one_is_not_taken_although_its_checksum_fits(server: Any, protocol: str) -> None:
    family = {"feetech": FeetechFamily(), "dynamixel": DynamixelFamily(fast=False)}[protocol]
    codec, span = family.codec, server.servos[1].span(*TELEMETRY[protocol])
    bus = Bus(Transport(server.port, 1_000_000, Clock()), family, server.servos)
    bus.sync_read(IDS, *TELEMETRY[protocol])
    count = span.end - span.begin
    expected = codec.encode_status(1, 0, bytes(count + 1))
    begin, draw, fits = expected[:12], random.Random(3), False
    while not fits:
        straggler = codec.encode_status(6, 0, draw.randbytes(count))
        fits = bool(codec.Parser(len(expected)).feed(begin + straggler[: len(expected) - len(begin)]))
    spliced = iter([True])

    def splice(request: bytes, replies: list[bytes]) -> Pieces:
        first = begin + straggler if replies and next(spliced, False) else b"".join(replies[:1])
        return [(0.0, first + b"".join(replies[1:]))]

    server.tamper = splice
    assert cycle(bus, server, protocol, 9) == (len(IDS), 0)
    assert bus.statistics.rejected == 1
    bus.close()


def test_noise_is_thrown_away(bus: Bus, server: Any, protocol: str) -> None:
    draw = random.Random(9)
    server.tamper = lambda request, replies: [(0.0, draw.randbytes(draw.randrange(20)) + b"".join(replies))]
    outcomes = [cycle(bus, server, protocol, number) for number in range(40)]
    assert sum(wrong for _, wrong in outcomes) == 0
    assert sum(came for came, _ in outcomes) >= 0.95 * len(IDS) * len(outcomes)
