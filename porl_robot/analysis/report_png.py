"""Draws a report as one PNG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from porl_robot.analysis.report_panels import GREY, STEPS_LABEL, Content, Level, Panel, Series

WIDTH = 1200  # [pixel]
DPI = 100
INK = "#333333"
_CURVE_ROW = 3.9  # height of the learning curve [inch]
_ROW = 2.7  # height of a row of two smaller panels [inch]


def write_png(path: Path, content: Content) -> None:
    """Writes the PNG, `WIDTH` pixels wide; its height depends on how many panels have data."""
    rows = (len(content.panels) + 1) // 2
    height = _CURVE_ROW + _ROW * rows
    figure = Figure(figsize=(WIDTH / DPI, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    figure.suptitle(content.heading, fontsize=14, fontweight="bold", color=INK)
    grid = figure.add_gridspec(1 + rows, 2, height_ratios=[_CURVE_ROW] + [_ROW] * rows)
    _draw_curve(figure.add_subplot(grid[0, :]), content)
    for index, panel in enumerate(content.panels):
        axes = figure.add_subplot(grid[1 + index // 2, index % 2])
        _draw(axes, panel, content)
        if len(panel.series) > 1:
            axes.legend(fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", loc="best")
    figure.savefig(path)


def _draw_curve(axes: Axes, content: Content) -> None:
    panel = content.curve
    _draw(axes, panel, content)
    handles, labels = axes.get_legend_handles_labels()
    for phase in content.phases:
        if phase.label not in labels:
            handles.append(Patch(facecolor=phase.colour, edgecolor="#c8c8c8"))
            labels.append(phase.label)
    axes.set_title(panel.title, loc="left", fontsize=11, color=INK, pad=26)
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=6, fontsize=8, frameon=False, borderpad=0.2
    )
    if panel.level is not None:
        draw_level(axes, panel.level)


def draw_level(axes: Axes, level: Level) -> None:
    """A dashed line, with its label to the right of the axes, where no curve can run through it."""
    axes.axhline(level.y, color=GREY, linestyle=(0, (5, 4)), linewidth=1.2, zorder=2)
    axes.annotate(
        level.label,
        (1.0, level.y),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color="#555555",
    )


def _draw(axes: Axes, panel: Panel, content: Content) -> None:
    for phase in content.phases:
        axes.axvspan(phase.start, phase.end, color=phase.colour, linewidth=0, zorder=0)
    draw_panel(axes, panel, content.last_step)
    if content.unfreeze_step is not None:
        axes.axvline(
            content.unfreeze_step,
            color=INK,
            linestyle=":",
            linewidth=1.2,
            zorder=2,
            label=_unfreeze_label(panel, content),
        )


def draw_panel(axes: Axes, panel: Panel, last_step: float) -> None:
    """The lines of a panel, and axes that end at `last_step`."""
    for series in panel.series:
        _draw_series(axes, series)
    axes.set_xlim(-0.01 * last_step, 1.01 * last_step)
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    axes.set_title(panel.title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(STEPS_LABEL, fontsize=9, color=INK)
    axes.set_ylabel(panel.y_label, fontsize=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.tick_params(labelsize=8, colors=INK, length=3)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#999999")


def _unfreeze_label(panel: Panel, content: Content) -> str:
    return "policy unfrozen" if panel is content.curve else "_nolegend_"


def _draw_series(axes: Axes, series: Series) -> None:
    if series.markers and series.low:
        below = [y - low for y, low in zip(series.y, series.low, strict=True)]
        above = [high - y for y, high in zip(series.y, series.high, strict=True)]
        axes.errorbar(
            series.x,
            series.y,
            yerr=[below, above],
            color=series.colour,
            ecolor=series.colour + "90",
            elinewidth=1.2,
            capsize=2.5,
            marker="o",
            markersize=4,
            linewidth=1.8,
            label=series.label,
            zorder=3,
        )
        return
    if series.low:
        axes.fill_between(series.x, series.low, series.high, color=series.colour, alpha=0.2, linewidth=0, zorder=2)
    marker = "o" if series.markers else ""
    axes.plot(
        series.x,
        series.y,
        color=series.colour,
        linewidth=1.6,
        marker=marker,
        markersize=4,
        label=series.label,
        zorder=3,
    )
