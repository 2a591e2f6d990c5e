"""The table of a comparison, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from porl_robot.analysis.comparison import Improvement, Row

_NOTHING = "-"
WORDS = 3
"""So many columns at the left hold words and are aligned to the left."""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings, lines of as many cells, and notes to stand below."""

    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def table(rows: Sequence[Row], improvements: Sequence[Improvement], notes: Sequence[str]) -> Table:
    """The table as text. `notes`: how the figures were made; how to read them is added."""
    headings = (
        "task",
        "method",
        "given",
        "seeds",
        "start",
        "worst",
        "dip",
        "to .90",
        "to .95",
        "final (Wilson)",
        "final IQM (bootstrap)",
        "CPU s",
    )
    better = tuple(
        f"A run of {each.method} ends higher than one of {each.over} with probability "
        f"{_interval(each.probability, each.low, each.high)}."
        for each in improvements
    )
    return Table(headings, tuple(_line(row) for row in rows), (*notes, *_LEGEND, *better))


_LEGEND = (
    "start, worst (lowest mean of two consecutive evaluations after the policy was unfrozen), dip (how far that is "
    "below the start), steps to .90 and .95 (with how many runs got there): interquartile mean over runs.",
    "final: share of all final episodes that succeeded, 95 % Wilson interval. final IQM: interquartile mean over "
    "runs, 95 % stratified bootstrap interval. CPU s: of one run, without evaluations.",
)


def markdown(shown: Table) -> str:
    """The table to paste into a page."""
    align = ["---" if index < WORDS else "---:" for index in range(len(shown.headings))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (shown.headings, align, *shown.lines)]
    return "\n".join([*lines, "", *(f"{note}  " for note in shown.notes)]) + "\n"


def plain(shown: Table) -> str:
    """The table in aligned columns."""
    every = (shown.headings, *shown.lines)
    widths = [max(len(cells[index]) for cells in every) for index in range(len(shown.headings))]
    lines = [
        "  ".join(
            cell.ljust(width) if index < WORDS else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in every
    ]
    return "\n".join([*lines, "", *shown.notes])


def _line(row: Row) -> tuple[str, ...]:
    form = "{:.2f}" if row.measure == "success" else "{:.1f}"
    return (
        row.env,
        row.method,
        row.given,
        f"{row.seeds}/{row.planned}",
        *(_number(value, form) for value in (row.start, row.worst, row.dip)),
        _reached(row.steps_to_90, row.reached_90, row.seeds),
        _reached(row.steps_to_95, row.reached_95, row.seeds),
        _interval(row.final, row.final_low, row.final_high, form),
        _interval(row.final_iqm, row.final_iqm_low, row.final_iqm_high, form),
        _number(row.cpu_s, "{:.0f}"),
    )


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None else form.format(value)


def _reached(steps: float | None, reached: int, seeds: int) -> str:
    return f"{_number(steps, '{:,.0f}')} ({reached}/{seeds})" if seeds else _NOTHING


def _interval(value: float | None, low: float | None, high: float | None, form: str = "{:.2f}") -> str:
    if value is None or low is None or high is None:
        return _number(value, form)
    to = "-" if low >= 0.0 else " to "
    return f"{form.format(value)} ({form.format(low)}{to}{form.format(high)})"
