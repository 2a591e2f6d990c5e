"""The learning curves of a comparison: one panel per task, one line per method."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from porl_robot.analysis.comparison import Entry, Summary, score
from porl_robot.analysis.comparison_table import Table
from porl_robot.analysis.report_html import add_level, details, div, panel_figure, write_page
from porl_robot.analysis.report_panels import PALETTE, Level, Panel, Series
from porl_robot.analysis.report_png import DPI, INK, WIDTH, draw_level, draw_panel

_ACROSS = 2
_COLOURS = (*PALETTE, "#b0578d", "#5b6b2f", "#222222", "#6fa8dc")
_BANDS = 4  # more than so many bands in one panel hide the lines
_ROW = 4.0  # height of a row of panels [inch]
_HEADING = "Comparison of methods"
_MEAN, _BAND = "mean over seeds", ", band from the lowest to the highest"


def panels(entries: Sequence[Entry]) -> list[Panel]:
    """One panel per task with finished runs: per method the mean over its runs.

    Up to four methods have a band from the lowest to the highest run.
    """
    colours = {
        method: _COLOURS[index % len(_COLOURS)]
        for index, method in enumerate(dict.fromkeys(entry.method for entry in entries))
    }
    drawn = []
    for env in dict.fromkeys(entry.env for entry in entries if entry.runs):
        here = [entry for entry in entries if entry.env == env and entry.runs]
        dense = here[0].runs[0]["final_success"] is None
        scale = 1.0 if dense else 100.0
        started = [entry for entry in here if score(entry.runs[0], "start") is not None]
        mean = None
        if len({entry.given for entry in started}) == 1:  # otherwise they begin with different policies
            starts = [score(run, "start") for entry in started for run in entry.runs]
            mean = scale * float(np.mean(np.array(starts, dtype=np.float64)))
        drawn.append(
            Panel(
                env,
                "mean return" if dense else "success [%]",
                tuple(_series(entry, colours[entry.method], scale, len(here) <= _BANDS) for entry in here),
                None if dense else (-3.0, 103.0),
                None if mean is None else Level(f"start {mean:.1f}" if dense else f"start {mean:.0f} %", mean),
            )
        )
    return drawn


def write_comparison_png(path: Path, drawn: Sequence[Panel]) -> None:
    """Writes the PNG, `WIDTH` pixels wide. `drawn`: at least one panel."""
    across = min(len(drawn), _ACROSS)
    rows = -(-len(drawn) // across)
    figure = Figure(
        figsize=(WIDTH / DPI, _ROW * rows + 0.5), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    )
    labelled: dict[str, Artist] = {}
    for index, panel in enumerate(drawn):
        axes = figure.add_subplot(rows, across, index + 1)
        draw_panel(axes, panel, _last_step(panel))
        if panel.level is not None:
            draw_level(axes, panel.level)
        labelled |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(labelled.values()),
        list(labelled),
        loc="outside upper left",
        ncols=5,
        fontsize=9,
        frameon=False,
        labelcolor=INK,
        title=_caption(drawn),
        title_fontsize=9,
        alignment="left",
    )
    figure.savefig(path)


def write_comparison_html(path: Path, drawn: Sequence[Panel], shown: Table, config: str) -> None:
    """Writes the page. `config`: the settings as text."""
    figures = []
    for index, panel in enumerate(drawn):
        figure = panel_figure(panel, _last_step(panel))
        figure.update_layout(height=420, showlegend=True, margin={"r": 90, "t": 90})
        if panel.level is not None:
            add_level(figure, panel.level)
        figures.append(div(figure, f"curve-{index}"))
    body = [
        _html_table(shown),
        *(f"<p>{html.escape(note)}</p>" for note in shown.notes),
        f"<h2>Learning curves: {_caption(drawn)}</h2>" if figures else "",
        *figures,
        details("Settings", config),
    ]
    write_page(path, _HEADING, body)


def _caption(drawn: Sequence[Panel]) -> str:
    banded = any(series.low for panel in drawn for series in panel.series)
    return _MEAN + (_BAND if banded else "")


def _series(entry: Entry, colour: str, scale: float, banded: bool) -> Series:
    runs = [_points(run, scale) for run in entry.runs]
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    values = np.array([[run[step] for step in steps] for run in runs])
    band = (tuple(values.min(axis=0)), tuple(values.max(axis=0))) if banded and len(runs) > 1 else ((), ())
    return Series(entry.method, colour, tuple(map(float, steps)), tuple(values.mean(axis=0)), *band)


def _points(run: Summary, scale: float) -> dict[int, float]:
    """Score by environment steps."""
    key = "return_mean" if run["final_success"] is None else "success"
    return {point["env_steps"]: scale * point[key] for point in run["curve"]}


def _last_step(panel: Panel) -> float:
    return max(max(series.x, default=1.0) for series in panel.series)


def _html_table(shown: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in shown.headings)
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in line) for line in shown.lines]
    return f'<table class="rows"><tr>{head}</tr>' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
