"""How progress looks: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from porl_robot.analysis.comparison_table import WORDS, plain
from porl_robot.analysis.comparison_table import Table as ComparisonTable

_PLAIN_EVERY = 10.0


def print_table(shown: ComparisonTable) -> None:
    """Prints a comparison: ruled on a terminal, aligned columns elsewhere."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        print(plain(shown))
        return
    ruled = Table(box=SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False)
    for index, heading in enumerate(shown.headings):
        ruled.add_column(heading, justify="left" if index < WORDS else "right")
    for line in shown.lines:
        ruled.add_row(*line)
    console.print(ruled, *shown.notes, sep="\n", markup=False)


class LineColumn(ProgressColumn):
    """A text that is asked for at every refresh and never takes a second line."""

    def __init__(self, line: Callable[[], str]) -> None:
        super().__init__(table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
        self._line = line

    def render(self, task: Task) -> Text:
        return Text(self._line())


class Terminal:
    """A `porl_robot.control.reporter.Reporter` on standard output.

    Args:
        title: what is going on.
        total: steps or episodes that make it complete.
        unit: what is counted.
        operator_line: what the operator of a robot is to see at all times; stands where the bar is otherwise.
    """

    def __init__(self, title: str, total: int, unit: str, operator_line: Callable[[], str] | None = None) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._operator_line = operator_line
        self._console = Console(file=sys.stdout, highlight=False)
        done = TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}")
        columns: tuple[ProgressColumn, ...] = (
            TextColumn("{task.description}"),
            BarColumn(),
            done,
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        if operator_line is not None:
            columns = LineColumn(operator_line), done
        self._bar = Progress(*columns, console=self._console, expand=operator_line is not None)
        self._task = self._bar.add_task(title, total=total, unit=unit, figures="", rate="")
        self._began = self._spoke = time.monotonic()
        self._first: int | None = None
        self._done = 0
        self._figures = ""

    def progress(self, done: int, **figures: float | str) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = done, now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        if figures:
            words = (f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())
            self._figures = "  ".join(words)
        speed = f"{rate:.0f} {self._unit}/s" if rate >= 1 else ""
        self._bar.update(self._task, completed=done, figures=self._figures, rate=speed)
        if not self._console.is_terminal and now - self._spoke >= _PLAIN_EVERY:
            self._spoke = now
            left = f"{(self._total - done) / rate:.0f} s left" if rate > 0 else ""
            line = f"{self._title} {done}/{self._total} {self._unit}  {speed}  {left}  {self._figures}"
            self._print(line if self._operator_line is None else f"{line}  {self._operator_line()}")

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        self.progress(self._done)

    def note(self, text: str) -> None:
        self._print(text)

    def __enter__(self) -> Terminal:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
