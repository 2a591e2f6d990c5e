"""Draws a report as one HTML page that needs no network."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from porl_robot.analysis.report_panels import GREY, STEPS_LABEL, Content, Level, Panel, Series, is_dense

_INK = "#333333"
_STYLE = """
body { margin: 0 auto; max-width: 1240px; padding: 24px; background: #ffffff; color: #333333;
       font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 22px; margin: 0 0 16px; }
.stopped { border-left: 4px solid #c1662f; background: #fbf3ec; padding: 8px 12px; margin: 0 0 16px; }
table { border-collapse: collapse; width: 100%; margin: 0 0 20px; }
tr { border-bottom: 1px solid #e3e3e3; }
th { text-align: left; font-weight: 500; color: #666666; padding: 5px 12px 5px 0; width: 22%; }
td { font-variant-numeric: tabular-nums; padding: 5px 24px 5px 0; width: 28%; }
table.rows { font-size: 13px; }
.rows th, .rows td { width: auto; padding: 5px 12px 5px 0; white-space: nowrap; }
h2 { font-size: 17px; margin: 24px 0 8px; }
.panels { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
@media (max-width: 800px) { .panels { grid-template-columns: minmax(0, 1fr); } }
details { margin: 20px 0; }
summary { cursor: pointer; color: #2f5d8a; }
pre { background: #f6f7f9; padding: 12px; overflow-x: auto; font-size: 13px; }
"""


def write_html(path: Path, content: Content, summary: Mapping[str, Any], config: str | None) -> None:
    """Writes the page. `config`: the resolved configuration as text, or None to leave it out."""
    stopped = summary["stopped_because"]
    body = [
        "" if stopped is None else f'<p class="stopped">Stopped early: {html.escape(stopped)}</p>',
        _table(figures(summary)),
        div(_curve_figure(content), "curve"),
        '<div class="panels">',
        *(div(_figure(panel, content), f"panel-{index}") for index, panel in enumerate(content.panels)),
        "</div>",
        "" if config is None else details("Resolved configuration", config),
    ]
    write_page(path, content.heading, body)


def write_page(path: Path, heading: str, body: Sequence[str]) -> None:
    """Writes a page that holds style and JavaScript of its own. `body`: its parts as HTML; empty ones are left out."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(heading)}</title>",
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body>",
        f"<h1>{html.escape(heading)}</h1>",
        *body,
        "</body></html>",
    ]
    path.write_text("\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The key figures of a finetune run as (name, value) for people to read."""
    dense = is_dense(summary)
    start, final = (
        (_plain(summary["bc_return_mean"]), _plain(summary["final_return_mean"]))
        if dense
        else (_percent(summary["bc_success"]), _final(summary))
    )
    worst = summary["worst_after_unfreeze"]
    what = "return" if dense else "success"
    return [
        ("Method", summary["method"]),
        ("Environment", summary["env"]),
        ("Seed", str(summary["seed"])),
        ("Environment steps", _count(summary["env_steps"])),
        (f"Start {what}", start),
        (f"Worst {what} after unfreezing", _plain(worst) if dense else _percent(worst)),
        (f"Final {what}", final),
        ("Steps to 90 %", _count(summary["steps_to_90"])),
        ("Steps to 95 %", _count(summary["steps_to_95"])),
        ("Critic updates", _count(summary["critic_updates"])),
        ("Actor updates", _count(summary["actor_updates"])),
        ("Processor time", f"{summary['cpu_s']:,.0f} s, evaluation {summary['cpu_s_eval']:,.0f} s"),
    ]


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100.0 * value:.1f} %"


def _plain(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.2f}"


def _count(value: int | None) -> str:
    return "n/a" if value is None else f"{value:,}"


def _final(summary: Mapping[str, Any]) -> str:
    low, high = summary["final_success_low"], summary["final_success_high"]
    interval = "" if low is None or high is None else f" (95 %: {100.0 * low:.1f} to {100.0 * high:.1f})"
    return _percent(summary["final_success"]) + interval


def _table(pairs: list[tuple[str, str]]) -> str:
    cells = [f"<th>{html.escape(name)}</th><td>{html.escape(value)}</td>" for name, value in pairs]
    rows = ["<tr>" + "".join(cells[i : i + 2]) + "</tr>" for i in range(0, len(cells), 2)]
    return "<table>" + "".join(rows) + "</table>"


def details(title: str, text: str) -> str:
    """A block that is folded away."""
    return f"<details><summary>{title}</summary><pre>{html.escape(text)}</pre></details>"


def div(figure: Any, name: str) -> str:
    """A figure as HTML. `name`: id of its element."""
    config = {"displaylogo": False, "responsive": True}
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    return text


def _curve_figure(content: Content) -> Any:
    figure = _figure(content.curve, content)
    figure.update_layout(height=430, showlegend=True, margin={"r": 90, "t": 90})
    for phase in {phase.label: phase for phase in content.phases}.values():
        swatch = {"symbol": "square", "size": 12, "color": phase.colour, "line": {"color": "#c8c8c8", "width": 1}}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=swatch, name=phase.label)
    if content.unfreeze_step is not None:
        line = {"color": _INK, "dash": "dot", "width": 1.3}
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name="policy unfrozen")
    if content.curve.level is not None:
        add_level(figure, content.curve.level)
    return figure


def add_level(figure: Any, level: Level) -> None:
    """A dashed line with its label to the right."""
    figure.add_hline(y=level.y, line={"color": GREY, "dash": "dash", "width": 1.3})
    figure.add_annotation(
        x=1.0, xref="paper", xanchor="left", y=level.y, text=level.label, showarrow=False, font={"color": "#555555"}
    )


def _figure(panel: Panel, content: Content) -> Any:
    figure = panel_figure(panel, content.last_step)
    for phase in content.phases:
        figure.add_vrect(x0=phase.start, x1=phase.end, fillcolor=phase.colour, line_width=0, layer="below")
    if content.unfreeze_step is not None:
        figure.add_vline(x=content.unfreeze_step, line={"color": _INK, "dash": "dot", "width": 1.3})
    return figure


def panel_figure(panel: Panel, last_step: float) -> Any:
    """The lines of a panel, and axes that end at `last_step`."""
    figure = go.Figure()
    for series in panel.series:
        _add(figure, series)
    axis = {"linecolor": "#999999", "ticks": "outside", "tickcolor": "#999999", "zeroline": False}
    figure.update_layout(
        title={"text": panel.title, "x": 0.0, "xref": "paper", "y": 0.97, "yanchor": "top", "font": {"size": 16}},
        height=330,
        margin={"l": 70, "r": 20, "t": 70, "b": 55},
        font={"family": 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif', "size": 12, "color": _INK},
        plot_bgcolor="#ffffff",
        paper_bgcolor="#ffffff",
        showlegend=len(panel.series) > 1,
        legend={"orientation": "h", "x": 0.0, "y": 1.0, "yanchor": "bottom"},
        hovermode="x unified",
        xaxis={
            **axis,
            "title": STEPS_LABEL,
            "range": [-0.01 * last_step, 1.01 * last_step],
            "showgrid": False,
            "tickformat": ",d",
        },
        yaxis={**axis, "title": panel.y_label, "gridcolor": "#e3e3e3"},
    )
    if panel.y_range is not None:
        figure.update_yaxes(range=list(panel.y_range))
    return figure


def _add(figure: Any, series: Series) -> None:
    x, y = list(series.x), list(series.y)
    line = {"color": series.colour, "width": 2}
    if series.low and not series.markers:
        outline = [*series.high, *reversed(series.low)]
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=outline,
            fill="toself",
            fillcolor=_translucent(series.colour),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
    bars = None
    if series.low and series.markers:
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [high - value for high, value in zip(series.high, y, strict=True)],
            "arrayminus": [value - low for low, value in zip(series.low, y, strict=True)],
            "thickness": 1.2,
            "width": 3,
        }
    mode = "lines+markers" if series.markers else "lines"
    figure.add_scatter(x=x, y=y, mode=mode, line=line, name=series.label, error_y=bars)


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
