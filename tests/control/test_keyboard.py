"""Keys and signals on a real pseudo-terminal, in this process."""

import os
import pty
import signal
import termios
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from porl_robot.control.keyboard import KEYS_BY_SIGNAL, SIGNALS, Keyboard, keyboard


class Heard:
    """What came by way of the thread."""

    def __init__(self):
        self.keys, self.causes = [], []

    def wait(self, keys=0, causes=0):
        deadline = time.monotonic() + 10.0
        while len(self.keys) < keys or len(self.causes) < causes:
            assert time.monotonic() < deadline, (self.keys, self.causes)
            time.sleep(0.002)

    def keyboard(self, descriptor=None):
        return Keyboard(self.keys.append, self.causes.append, descriptor)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def terminal():
    """Both ends of a pseudo-terminal: the person's, the program's."""
    ends = pty.openpty()
    yield ends
    for each in ends:
        with suppress(OSError):  # the test closed it
            os.close(each)


def test_keys_come_one_by_one_and_unseen(heard, terminal):
    person, program = terminal
    with heard.keyboard(program):
        os.write(person, b"pS q")
        heard.wait(keys=4)
        assert not termios.tcgetattr(program)[3] & (termios.ECHO | termios.ICANON)
    assert heard.keys == ["p", "s", " ", "q"]


@pytest.mark.parametrize("byte", [b"\x03", b"\x1a", b"\x1c", b"\x13"], ids=["C", "Z", "backslash", "S"])
def test_control_keys_are_keys(heard, terminal, byte):
    person, program = terminal
    with heard.keyboard(program):
        os.write(person, byte)
        heard.wait(keys=1)
    assert heard.keys == [byte.decode()] and heard.causes == []


def test_function_keys_are_not_the_letters_they_are_sent_as(heard, terminal):
    person, program = terminal
    with heard.keyboard(program):
        os.write(person, b"\x1bOs\x1b[1p")
        time.sleep(0.1)
        os.write(person, b"\x1bf ")
        heard.wait(keys=1)
    assert heard.keys == [" "]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_terminal_is_put_back_on_every_way_out(heard, terminal, error):
    _, program = terminal
    before = termios.tcgetattr(program)
    try:
        with heard.keyboard(program):
            assert termios.tcgetattr(program) != before
            if error is not None:
                raise error
    except BaseException as raised:
        assert type(raised) is error
    assert termios.tcgetattr(program) == before


def test_what_was_typed_too_late_is_not_left_for_the_shell(terminal):
    person, program = terminal
    reading = threading.Event()

    def press(key):
        reading.set()
        time.sleep(0.1)

    with Keyboard(press, lambda cause: None, program):
        os.write(person, b"p")
        reading.wait(10.0)
        os.write(person, b"rm\n")
        time.sleep(0.02)
    os.set_blocking(program, False)
    with pytest.raises(BlockingIOError):
        os.read(program, 64)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_and_interrupts_nothing(heard, number):
    before = signal.getsignal(number)
    with heard.keyboard():
        os.kill(os.getpid(), number)
        heard.wait(causes=1)
    assert heard.causes == [number.name]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", KEYS_BY_SIGNAL)
def test_other_signals_are_keys(heard, number):
    before = signal.getsignal(number)
    with heard.keyboard():
        os.kill(os.getpid(), number)
        heard.wait(keys=1)
    assert heard.keys == [KEYS_BY_SIGNAL[number]] and heard.causes == []
    assert signal.getsignal(number) is before


@contextmanager
def handled(number, by):
    before = signal.signal(number, by)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_stop_is_heeded_where_a_script_has_its_jobs_ignore_it(heard):
    with handled(signal.SIGINT, signal.SIG_IGN):
        with heard.keyboard():
            os.kill(os.getpid(), signal.SIGINT)
            heard.wait(causes=1)
        assert heard.causes == ["SIGINT"] and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_hang_up_that_is_ignored_stays_so(heard):
    with handled(signal.SIGHUP, signal.SIG_IGN):
        with heard.keyboard():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            heard.wait(causes=1)
        assert heard.causes == ["SIGTERM"] and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_another_signal_means_nothing(heard):
    with handled(signal.SIGUSR1, lambda number, frame: None):
        with heard.keyboard():
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGINT)
            heard.wait(causes=1)
        assert heard.causes == ["SIGINT"]


def test_a_terminal_that_goes_away_stops_once(heard, terminal):
    person, program = terminal
    with heard.keyboard(program):
        os.close(person)
        heard.wait(causes=1)
        time.sleep(0.05)
    assert heard.causes == ["the terminal was closed"]


def test_a_thread_that_dies_stops(terminal):
    person, program = terminal
    heard = Heard()

    def press(key):
        raise ZeroDivisionError("a bug")

    with Keyboard(press, heard.causes.append, program):
        os.write(person, b"p")
        heard.wait(causes=1)
    assert heard.causes == ["keys and signals cannot be read any more (a bug)"]


def test_no_keys_without_a_terminal(monkeypatch):
    read, write = os.pipe()
    kept = os.dup(0)
    try:
        os.dup2(read, 0)
        assert keyboard() is None
    finally:
        os.dup2(kept, 0)
        for each in (read, write, kept):
            os.close(each)
