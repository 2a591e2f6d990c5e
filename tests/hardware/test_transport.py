"""Bytes through a real pseudo-terminal, and what happens when it goes away."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.clock import Clock
from hardware.errors import Disconnected, HardwareError
from hardware.transport import Transport

SOON = 0.05


class Cable:
    """A pseudo-terminal behind a link, as a virtual arm makes it; this end is the arm's."""

    def __init__(self, link: Path) -> None:
        self.near, self._far = pty.openpty()
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._far))
        self.port = str(link)

    def send(self, data: bytes) -> None:
        os.write(self.near, data)

    def pull(self) -> None:
        os.close(self.near)
        os.close(self._far)


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    made = Cable(tmp_path / "arm")
    yield made
    for descriptor in (made.near, made._far):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_every_byte_passes_both_ways(cable: Cable) -> None:
    everything = bytes(range(256))
    with Transport(cable.port, 1_000_000) as transport:
        transport.write(everything)
        assert os.read(cable.near, 1000) == everything
        cable.send(everything)
        assert transport.read(256, transport.clock.now() + 1.0) == everything


def test_a_read_returns_when_its_bytes_are_there(cable: Cable) -> None:
    with Transport(cable.port, 1_000_000) as transport:
        cable.send(b"abcdef")
        begun = time.monotonic()
        assert transport.read(4, transport.clock.now() + 5.0) == b"abcd"
        assert time.monotonic() - begun < 1.0
        assert transport.read(2, transport.clock.now()) == b"ef"


def test_a_read_returns_what_there_is_at_its_deadline(cable: Cable) -> None:
    with Transport(cable.port, 1_000_000) as transport:
        cable.send(b"ab")
        begun = transport.clock.now()
        assert transport.read(4, begun + SOON) == b"ab"
        assert SOON <= transport.clock.now() - begun < SOON + 0.5


def test_deadlines_are_in_arm_time(cable: Cable) -> None:
    with Transport(cable.port, 1_000_000, Clock(20.0)) as transport:
        begun = time.monotonic()
        assert transport.read(1, transport.clock.now() + 1.0) == b""
        assert 0.05 <= time.monotonic() - begun < 0.5


def test_wire_time_counts_ten_bits_a_byte(cable: Cable) -> None:
    with Transport(cable.port, 115_200) as transport:
        assert transport.wire_time(1152) == pytest.approx(0.1)


def test_flush_throws_away_what_came_too_late(cable: Cable) -> None:
    with Transport(cable.port, 1_000_000) as transport:
        cable.send(b"late")
        assert transport.read(1, transport.clock.now() + 1.0) == b"l"
        assert transport.flush() == 3
        assert transport.flush() == 0
        assert transport.read(1, transport.clock.now()) == b""


def test_drain_waits_until_the_line_is_quiet(cable: Cable) -> None:
    def babble() -> None:
        for _ in range(5):
            cable.send(b"noise")
            time.sleep(0.01)

    with Transport(cable.port, 1_000_000) as transport:
        talker = threading.Thread(target=babble)
        talker.start()
        assert transport.drain(quiet=0.1, limit=5.0) == 25
        talker.join()


def test_drain_ends_although_the_line_is_never_quiet(cable: Cable) -> None:
    done = threading.Event()

    def babble() -> None:
        while not done.wait(0.001):
            cable.send(b"noise")

    with Transport(cable.port, 1_000_000) as transport:
        talker = threading.Thread(target=babble)
        talker.start()
        begun = time.monotonic()
        assert transport.drain(quiet=0.2, limit=0.3) > 0
        assert time.monotonic() - begun < 2.0
        done.set()
        talker.join()


@pytest.mark.parametrize("what", ["read", "write", "flush", "drain"])
def test_an_unplugged_port_is_one_kind_of_error(cable: Cable, what: str) -> None:
    transport = Transport(cable.port, 1_000_000)
    actions = {
        "read": lambda: transport.read(1, transport.clock.now() + 5.0),
        "write": lambda: transport.write(b"x"),
        "flush": transport.flush,
        "drain": lambda: transport.drain(0.1, 1.0),
    }
    cable.pull()
    for _ in range(2):
        with pytest.raises(Disconnected, match=r"disconnected .*; plug it in again") as error:
            actions[what]()
        assert "\n" not in str(error.value)
    transport.close()


def test_unplugged_while_it_waits(cable: Cable) -> None:
    transport = Transport(cable.port, 1_000_000)
    puller = threading.Timer(SOON, cable.pull)
    puller.start()
    begun = time.monotonic()
    with pytest.raises(Disconnected):
        transport.read(1, transport.clock.now() + 30.0)
    assert time.monotonic() - begun < 5.0
    puller.join()


def test_a_port_that_comes_back_can_be_opened_again(cable: Cable, tmp_path: Path) -> None:
    first = Transport(cable.port, 1_000_000)
    cable.pull()
    with pytest.raises(Disconnected):
        first.flush()
    again = Cable(tmp_path / "arm")
    with Transport(again.port, 1_000_000) as second:
        again.send(b"back")
        assert second.read(4, second.clock.now() + 1.0) == b"back"
    again.pull()


def test_only_one_at_a_time(cable: Cable) -> None:
    with Transport(cable.port, 1_000_000), pytest.raises(HardwareError, match="in use by"):
        Transport(cable.port, 1_000_000)
    Transport(cable.port, 1_000_000).close()
