"""Keys of a terminal and the signals that ask a process to end, read in a thread of their own.

The thread acts while the control loop computes or waits. Signals take the same way as keys: a handler that ran in the
control thread could interrupt it between any two of its steps.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from porl_robot.control.operator import STOP_KEYS
from porl_robot.scheduling import OPERATOR_PRIORITY, real_time

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They stop."""

KEYS_BY_SIGNAL = {signal.SIGUSR1: "t", signal.SIGUSR2: "p"}
"""For pedals and buttons of other programs, and for a person without a terminal."""

_STDIN = 0
_END = b"\0"
_ESCAPE = "\x1b"
_READ = 64


def keyboard() -> int | None:
    """Standard input where keys can be read from it: it is a terminal, and no other job's at the moment."""
    if not os.isatty(_STDIN):
        return None
    try:
        foreground = os.tcgetpgrp(_STDIN)
    except OSError:  # a terminal without jobs
        return _STDIN
    return _STDIN if foreground == os.getpgrp() else None


class Keyboard:
    """While entered, calls `press` with every key and `stop` with the name of every signal that stops, in a thread.

    Keys come at once and unseen; Ctrl-C, Ctrl-Z and Ctrl-\\ are keys like others. A terminal that goes away stops.
    The terminal is put back on the way out. To be entered in the main thread.

    A hang-up that is ignored, as `nohup` asks, stays so. SIGINT does not: the background jobs of a script ignore it
    without anybody's wish, and a stop must reach the robot.

    Args:
        descriptor: of the terminal; None reads no keys, only signals.
    """

    def __init__(self, press: Callable[[str], None], stop: Callable[[str], None], descriptor: int | None) -> None:
        self._press, self._stop, self._descriptor = press, stop, descriptor
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)

    def __enter__(self) -> Keyboard:
        self._signals, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._wake_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        heeded = {*SIGNALS, *KEYS_BY_SIGNAL}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            heeded.remove(signal.SIGHUP)
        self._handlers_before = {each: signal.signal(each, _leave_to_the_thread) for each in heeded}
        if self._descriptor is not None:
            self._settings_before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, _raw_keys(self._settings_before))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._wake, _END)
        self._thread.join()
        if self._descriptor is not None:
            self._restore(self._descriptor)
        for each, handler in self._handlers_before.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(self._wake_before)
        os.close(self._signals)
        os.close(self._wake)

    def _restore(self, descriptor: int) -> None:
        try:
            termios.tcflush(descriptor, termios.TCIFLUSH)  # what was typed is not meant for the shell
            termios.tcsetattr(descriptor, termios.TCSANOW, self._settings_before)
        except termios.error:  # the terminal is gone
            pass

    def _run(self) -> None:
        real_time(OPERATOR_PRIORITY)
        try:
            while self._handle_next():
                pass
        except Exception as error:
            self._stop(f"keys and signals cannot be read any more ({error})")

    def _handle_next(self) -> bool:
        """Waits for keys or signals and passes them on; False where reading is to end."""
        watched = [each for each in (self._signals, self._descriptor) if each is not None]
        ready, _, _ = select.select(watched, [], [])
        if self._descriptor in ready:
            self._pass_on(self._typed())
        if self._signals in ready:
            for number in os.read(self._signals, _READ):
                if number == _END[0]:
                    return False
                if number in SIGNALS:
                    self._stop(signal.Signals(number).name)
                elif number in KEYS_BY_SIGNAL:
                    self._press(KEYS_BY_SIGNAL[signal.Signals(number)])
        return True

    def _typed(self) -> str:
        """What was typed; nothing, and nothing ever after, where the terminal is gone."""
        assert self._descriptor is not None
        try:
            data = os.read(self._descriptor, _READ)
        except OSError:
            data = b""
        if not data:
            self._descriptor = None
            self._stop("the terminal was closed")
        return data.decode(errors="replace").lower()

    def _pass_on(self, keys: str) -> None:
        # An arrow or function key is an escape followed by letters that nobody typed.
        for key in keys:
            if key in STOP_KEYS or _ESCAPE not in keys:
                self._press(key)


def _leave_to_the_thread(number: int, frame: object) -> None:
    """Python's handler; the number of the signal has gone to the thread by way of the wake-up pipe."""


def _raw_keys(settings: list[Any]) -> list[Any]:
    """Terminal settings with which keys come at once, unseen, and without a meaning to the terminal itself."""
    changed = [*settings[:6], list(settings[6])]
    changed[0] &= ~termios.IXON  # Ctrl-S would block whoever prints
    changed[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    return changed
