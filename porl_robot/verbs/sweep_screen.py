"""What the person who calibrates an arm sees, and how they answer."""

from __future__ import annotations

import select
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from porl_robot.errors import UsageError
from porl_robot.verbs.schema import CONSENT

_REFRESH = 0.1
_PLAIN_EVERY = 5.0


class Row(Protocol):
    """One joint while it is swept; positions in ticks, angles in degrees."""

    name: str
    lowest: int
    now: int
    highest: int
    travelled: float
    expected: float
    enough: bool


class SweepScreen:
    """On a terminal a live table of all joints, elsewhere a line now and then.

    Args:
        seconds: after which the sweep ends; None: with Enter.
        writes: the EPROM may be written without asking.
        listening: standard input is a terminal with somebody at it.
    """

    def __init__(self, seconds: float | None, writes: bool, listening: bool) -> None:
        self._seconds, self._writes, self._listening = seconds, writes, listening
        self._console = Console(file=sys.stdout, highlight=False)

    def tell(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def sweeping(self) -> Iterator[Callable[[Sequence[Row], float], bool]]:
        ending = "Enter ends the sweep" if self._seconds is None else f"the sweep lasts {self._seconds:g} s"
        self.tell(f"move every joint by hand from stop to stop, the gripper too, then let the arm rest; {ending}")
        every = _REFRESH if self._console.is_terminal else _PLAIN_EVERY
        last: Sequence[Row] = ()
        shown = -every
        with Live(console=self._console, auto_refresh=False) if self._console.is_terminal else nullcontext() as live:

            def table(rows: Sequence[Row], elapsed: float) -> bool:
                nonlocal last, shown
                last = rows
                if time.monotonic() - shown >= every:
                    shown = time.monotonic()
                    self._show(live, rows)
                return not self._is_over(elapsed)

            yield table
            self._show(live, last)

    def agrees(self, question: str) -> bool:
        if self._writes:
            self.tell(f"{question} {CONSENT}, by write={CONSENT}")
            return True
        if not self._listening:
            raise UsageError(
                f"write=... is missing: nothing was written; give write={CONSENT} to {question.rstrip('?')}"
            )
        return self._answer(f"{question} [y/N] ") == "y"

    def saw(self, joint: str, words: str) -> bool:
        answer = ""
        while answer not in ("y", "n"):
            answer = self._answer(f"{joint}: did it turn {words}? [y/n] ")
        return answer == "y"

    def _show(self, live: Live | None, rows: Sequence[Row]) -> None:
        if live is not None:
            live.update(_table(rows), refresh=True)
            return
        self.tell("  ".join(f"{row.name} {row.travelled:.0f} of {row.expected:.0f} deg" for row in rows))

    def _is_over(self, elapsed: float) -> bool:
        if self._seconds is not None:
            return elapsed >= self._seconds
        if not select.select([sys.stdin], [], [], 0.0)[0]:
            return False
        sys.stdin.readline()
        return True

    def _answer(self, question: str) -> str:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before is no answer
        try:
            return input(question).strip().lower()
        except EOFError as error:
            raise UsageError("standard input has ended before the question was answered") from error


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("joint")
    for heading in ("lowest", "now", "highest", "travelled", "model"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in rows:
        travelled, expected = f"{row.travelled:.0f} deg", f"{row.expected:.0f} deg"
        ticks = (str(row.lowest), str(row.now), str(row.highest))
        table.add_row(row.name, *ticks, travelled, expected, "enough" if row.enough else "go on")
    return table
