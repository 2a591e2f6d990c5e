"""The person at a pseudo-terminal with an attended arm behind it."""

import os
import pty
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

ARM = Path(__file__).with_name("attended_arm.py")
PATHS = {"PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ARM.parent)])}
PATIENCE = 60.0


class Person:
    """Runs `command` on a terminal of its own, reads what it shows and types.

    Attributes:
        shown: everything it has shown so far.
        events: the file that `attended_arm.AttendedArm` writes.
    """

    def __init__(self, events, command):
        self.events, self.shown = events, ""
        self.events.touch()
        self._master, self._slave = pty.openpty()
        self.settings = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env={**os.environ, "EVENTS": str(events), "TERM": "xterm", "COLUMNS": "100", **PATHS},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def type(self, text):
        """Types, and says when [s, monotonic]."""
        now = time.monotonic()
        os.write(self._master, text.encode())
        return now

    def wait_until(self, condition):
        """Waits for `condition()`."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.shown[-1000:]
            time.sleep(0.005)

    def wait_shown(self, text):
        self.wait_until(lambda: text in self.shown)

    def wait_event(self, event, count=1):
        """Waits until so many events begin with `event`."""
        self.wait_until(lambda: len(self.times(event)) >= count)

    def times(self, event):
        """When `event` happened, every time."""
        return [float(line.split()[-1]) for line in self.lines() if line.startswith(event)]

    def lines(self):
        """The events so far; one that is being written is left out."""
        return [line for line in self.events.read_text().split("\n")[:-1] if line]

    def ends(self):
        """What was said of every episode: terminated, truncated, success, discarded, reward."""
        return [tuple(line.split()[1:-1]) for line in self.lines() if line.startswith("end")]

    def leave(self):
        """Waits for the end of the process; its exit code."""
        return self.process.wait(PATIENCE)

    def settings_now(self):
        return termios.tcgetattr(self._slave)

    def hang_up(self):
        """The terminal goes away."""
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for each in (self._master, self._slave):
            if each is not None:
                os.close(each)

    def _read(self):
        try:
            while data := os.read(self._master, 4096):
                self.shown += data.decode(errors="replace")
        except (OSError, TypeError):
            pass


@pytest.fixture
def at_the_arm(tmp_path):
    """Puts a person in front of `attended_arm.py`, or of another command that moves the arm."""
    people = []

    def sit_down(*arguments, rounds=1, command=None):
        events = tmp_path / f"events{len(people)}"
        people.append(Person(events, command or arm_command(events, rounds, *arguments)))
        return people[-1]

    yield sit_down
    for person in people:
        person.close()


def arm_command(events, rounds, *arguments):
    return [sys.executable, str(ARM), str(events), str(rounds), *arguments]


@pytest.fixture
def alone(tmp_path):
    """Starts `attended_arm.py` without a terminal; its events, and the process."""
    events = tmp_path / "events"
    processes = []

    def start(*arguments):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        processes.append(subprocess.Popen(arm_command(events, 1, *arguments), **pipes))
        return events, processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()
