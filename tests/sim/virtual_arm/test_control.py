"""The control socket waits for its clients, and nobody for it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hardware.control_socket import control_path
from sim.virtual_arm import control
from sim.virtual_arm.control import Control


class Bench:
    """A control socket that answers a line with itself in capitals, and clients of it."""

    def __init__(self, link, ending: ExitStack) -> None:
        self.control, self._link, self._ending = Control(link), link, ending
        ending.callback(self.control.close)

    def client(self, said: bytes = b"") -> socket.socket:
        made = self._ending.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        made.settimeout(1.0)
        made.connect(str(control_path(self._link)))
        made.sendall(said)
        self.turn()
        return made

    def turn(self) -> None:
        """Serves whoever is there, as often as it takes."""
        while True:
            ready, _, _ = select.select(self.control.descriptors(), [], [], 0.02)
            self.control.serve(ready, str.upper)
            if not ready:
                return


@pytest.fixture
def bench(tmp_path) -> Iterator[Bench]:
    with ExitStack() as ending:
        yield Bench(tmp_path / "arm", ending)


def test_a_client_may_take_its_time_and_keeps_nobody_waiting(bench):
    slow = bench.client(b"sta")
    began = time.monotonic()
    quick = bench.client(b"clear\n")
    assert quick.recv(100) == b"CLEAR\n"
    assert time.monotonic() - began < 0.15
    slow.sendall(b"te\n")
    bench.turn()
    assert slow.recv(100) == b"STATE\n" and slow.recv(100) == b""


def test_who_ends_its_sending_has_ended_its_line(bench):
    client = bench.client(b"state")
    client.shutdown(socket.SHUT_WR)
    bench.turn()
    assert client.recv(100) == b"STATE\n"


def test_a_client_that_goes_is_forgotten(bench):
    before = bench.control.descriptors()
    bench.client(b"sta").close()
    bench.turn()
    assert bench.control.descriptors() == before


def test_who_says_nothing_for_too_long_is_told_so(bench, monkeypatch):
    client = bench.client(b"sta")
    monkeypatch.setattr(control, "_PATIENCE", 0.05)
    time.sleep(0.1)
    bench.turn()
    assert client.recv(100) == b"refused: no whole line came within 0.05 s; end it with a newline\n"


def test_a_line_without_end_is_refused(bench):
    client = bench.client(b"x" * 5000)
    assert client.recv(100) == b"refused: a line has at most 4096 bytes\n"


def test_more_clients_than_it_takes_wait_their_turn(bench):
    slow = [bench.client() for _ in range(20)]
    for each in slow:
        each.sendall(b"state\n")
    bench.turn()
    assert [each.recv(100) for each in slow] == [b"STATE\n"] * 20
