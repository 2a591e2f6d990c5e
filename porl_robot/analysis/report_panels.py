"""What a report shows, before anybody draws it: both renderings are made from the same panels."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porl_robot.analysis.statistics import wilson

Row = Mapping[str, Any]

BLUE, ORANGE, GREEN, PURPLE, GREY = "#2f5d8a", "#c1662f", "#4f8a5b", "#7d6aa5", "#7a7a7a"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, GREY, "#a8873b", "#3f8f95", "#9c4a55")
STEPS_LABEL = "environment steps"

_PHASES = {
    "pre_sample": ("pre-sample: policy frozen", "#eceff3"),
    "fit": ("critic fit", "#dfe5ee"),
    "online": ("online learning", "#fbf6ee"),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One line. `low` and `high` bound a band (or, with `markers`, error bars); empty where there is none."""

    label: str
    colour: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    markers: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a label."""

    label: str
    y: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A shaded stretch of environment steps."""

    label: str
    colour: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart against environment steps.

    Attributes:
        y_label: quantity and unit.
        y_range: fixed range of the y axis, or None.
    """

    title: str
    y_label: str
    series: tuple[Series, ...]
    y_range: tuple[float, float] | None = None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that is drawn.

    Attributes:
        curve: the learning curve; it alone carries phases and the unfreeze mark with labels.
        panels: the rest, as far as there is data.
        last_step: right end of every x axis.
        unfreeze_step: where the policy was unfrozen, or None.
    """

    heading: str
    curve: Panel
    panels: tuple[Panel, ...]
    phases: tuple[Phase, ...]
    last_step: float
    unfreeze_step: int | None


def is_dense(summary: Mapping[str, Any]) -> bool:
    """Whether the task knows only returns."""
    return summary["final_success"] is None and all(point["success"] is None for point in summary["curve"])


def content(summary: Mapping[str, Any], metrics: Sequence[Row]) -> Content:
    """The panels of a finetune run; `metrics` are the rows of its metrics.jsonl."""
    rows = [row for row in metrics if _finite(row.get("env_steps"))]
    steps = [float(row["env_steps"]) for row in rows]
    last = max([1.0, float(summary["env_steps"]), *steps, *(float(p["env_steps"]) for p in summary["curve"])])
    candidates = (
        Panel(
            "Training success, last 20 episodes",
            "success [%]",
            _lines(rows, (("train_success", "training episodes"),), scale=100.0),
            (-3.0, 103.0),
        ),
        Panel("Value estimate", "discounted return", _values(rows)),
        Panel(
            "Exploration",
            "nat",
            _lines(rows, (("entropy", "entropy"), ("log_std_mean", "mean log standard deviation"))),
        ),
        Panel("Entropy temperature", "alpha", _lines(rows, (("alpha", "alpha"),))),
        Panel("Safety interventions", "steps changed, cumulative", _interventions(rows)),
        Panel(
            "Update-to-data ratio",
            "critic updates per step",
            _lines(rows, (("updates_per_step", "updates per step"),)),
            y_range=(0.0, 1.2 * max((row.get("updates_per_step") or 0.0 for row in rows), default=0.0) or 1.0),
        ),
        Panel(
            "Distance from the anchor",
            "distance to start policy",
            _lines(rows, (("anchor_distance", "anchor distance"),)),
        ),
    )
    return Content(
        heading=f"{summary['method']} on {summary['env']}, seed {summary['seed']}",
        curve=_curve(summary),
        panels=tuple(panel for panel in candidates if panel.series),
        phases=_phases(rows, last),
        last_step=last,
        unfreeze_step=summary["unfreeze_step"],
    )


def _finite(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _curve(summary: Mapping[str, Any]) -> Panel:
    if is_dense(summary):
        points = [p for p in summary["curve"] if p["return_mean"] is not None]
        returns = tuple(float(p["return_mean"]) for p in points)
        level = _level(summary["bc_return_mean"], 1.0, "{:.1f}")
        line = Series("evaluation", BLUE, _steps(points), returns, markers=True)
        return Panel("Evaluation return", "mean return", (line,), level=level)
    points = [p for p in summary["curve"] if p["success"] is not None]
    bounds = [wilson(p["success"], p["episodes"]) for p in points]
    line = Series(
        "evaluation, 95 % interval",
        BLUE,
        _steps(points),
        tuple(100.0 * p["success"] for p in points),
        tuple(100.0 * low for low, _ in bounds),
        tuple(100.0 * high for _, high in bounds),
        markers=True,
    )
    level = _level(summary["bc_success"], 100.0, "{:.0f} %")
    return Panel("Evaluation success", "success [%]", (line,), (-3.0, 103.0), level)


def _steps(points: Sequence[Row]) -> tuple[float, ...]:
    return tuple(float(point["env_steps"]) for point in points)


def _level(value: float | None, scale: float, form: str) -> Level | None:
    return None if value is None else Level("start " + form.format(scale * value), scale * value)


def _lines(rows: Sequence[Row], keys: Sequence[tuple[str, str]], scale: float = 1.0) -> tuple[Series, ...]:
    lines = []
    for (key, label), colour in zip(keys, PALETTE, strict=False):
        found = [row for row in rows if _finite(row.get(key))]
        if found:
            lines.append(Series(label, colour, _steps(found), tuple(scale * float(row[key]) for row in found)))
    return tuple(lines)


def _values(rows: Sequence[Row]) -> tuple[Series, ...]:
    lines = list(_lines(rows, (("q_mean", "Q, mean of the ensemble"), ("target_mean", "target"))))
    banded = [row for row in rows if _finite(row.get("q_mean")) and _finite(row.get("q_std"))]
    if banded:
        lines[0] = Series(
            "Q, mean and standard deviation of the ensemble",
            BLUE,
            _steps(banded),
            tuple(float(row["q_mean"]) for row in banded),
            tuple(float(row["q_mean"] - row["q_std"]) for row in banded),
            tuple(float(row["q_mean"] + row["q_std"]) for row in banded),
        )
    return tuple(lines)


def _interventions(rows: Sequence[Row]) -> tuple[Series, ...]:
    prefix = "interventions/"
    flat = [
        {
            "env_steps": row["env_steps"],
            **{key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)},
            **(row["interventions"] if isinstance(row.get("interventions"), Mapping) else {}),
        }
        for row in rows
    ]
    names = dict.fromkeys(key for row in flat for key in row if key != "env_steps")
    return _lines(flat, [(name, name) for name in names])


def _phases(rows: Sequence[Row], last: float) -> tuple[Phase, ...]:
    """The stretches in which `phase` stays the same; one that takes no environment steps is left out."""
    starts: list[tuple[str, float]] = []
    for row in rows:
        name = row.get("phase")
        if isinstance(name, str) and (not starts or starts[-1][0] != name):
            # The first row of a run may come late; its phase began with the run.
            starts.append((name, float(row["env_steps"]) if starts else 0.0))
    ends = [start for _, start in [*starts, ("", last)][1:]]
    return tuple(
        Phase(*_PHASES.get(name, (name, "#f4f4f4")), start, end)
        for (name, start), end in zip(starts, ends, strict=True)
        if end > start
    )
