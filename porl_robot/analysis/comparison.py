"""What several methods, tasks and seeds say together.

Definitions as in rliable (Agarwal et al. 2021, arXiv 2108.13264).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from porl_robot.analysis.statistics import wilson

EVERY_TASK = "all"

_TRIMMED = 0.25  # share of the scores cut off at either end
_RESAMPLES = 2000
_PERCENTILES = (2.5, 97.5)

Summary = Mapping[str, Any]
Scores = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Entry:
    """One method on one task.

    Attributes:
        given: what the method starts from, in words.
        runs: the `summary.json` of its finished runs, one per seed.
        planned: how many runs there were to be.
    """

    env: str
    method: str
    given: str
    runs: tuple[Summary, ...]
    planned: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. None: cannot be said.

    Attributes:
        env: the task, or `EVERY_TASK`.
        measure: what the scores are, success or return.
        seeds: finished runs, of `planned` ones.
        start, worst, dip: interquartile means over the runs: score at the start, `worst_after_unfreeze`, and how far
            that is below the start.
        steps_to_90, steps_to_95: interquartile means over the `reached_90` and `reached_95` runs that got there.
        final, final_low, final_high: share of all final episodes that succeeded, with its 95 % Wilson interval: how
            much the number of episodes leaves open. None over several tasks, which have no common rate; where the
            measure is the return, its mean without interval.
        final_iqm, final_iqm_low, final_iqm_high: interquartile mean of the runs' final scores with its 95 % stratified
            bootstrap interval: how much the number of seeds leaves open. No interval without a second seed.
        cpu_s: mean processor time of a run without evaluations [s].
    """

    env: str
    method: str
    given: str
    measure: str
    seeds: int
    planned: int
    start: float | None
    worst: float | None
    dip: float | None
    steps_to_90: float | None
    reached_90: int
    steps_to_95: float | None
    reached_95: int
    final: float | None
    final_low: float | None
    final_high: float | None
    final_iqm: float | None
    final_iqm_low: float | None
    final_iqm_high: float | None
    cpu_s: float | None


@dataclass(frozen=True, slots=True)
class Improvement:
    """How likely a run of `method` ends higher than one of `over`, with its 95 % stratified bootstrap interval."""

    method: str
    over: str
    probability: float
    low: float
    high: float


def iqm(scores: Sequence[float] | Scores) -> float:
    """Interquartile mean: of what is left when a quarter of the scores is cut off at either end.

    The number cut is rounded down: of three scores none, of four to seven one at either end.

    Args:
        scores: shape (n,), n at least 1.
    """
    return float(trim_mean(np.asarray(scores, dtype=np.float64), _TRIMMED))


def iqm_interval(strata: Sequence[Scores], seed: int = 0) -> Interval:
    """95 % percentile interval of the interquartile mean of all scores, by the stratified bootstrap.

    Args:
        strata: one array of shape (runs,) per task, none empty; runs are redrawn within their task.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([_redrawn(scores, rng) for scores in strata], axis=1)
    return _percentiles(trim_mean(drawn, _TRIMMED, axis=1))


def improvement(first: Sequence[Scores], other: Sequence[Scores]) -> float:
    """P(X > Y) for a run X of `first` and a run Y of `other` on the same task, averaged over tasks; a tie counts half.

    Args:
        first, other: one array of shape (runs,) per task, none empty.
    """
    return float(np.mean([_above(x[None], y[None]) for x, y in zip(first, other, strict=True)]))


def improvement_interval(first: Sequence[Scores], other: Sequence[Scores], seed: int = 0) -> Interval:
    """95 % percentile interval of `improvement`, by the stratified bootstrap. Arguments as there."""
    rng = np.random.default_rng(seed)
    per_task = [_above(_redrawn(x, rng), _redrawn(y, rng)) for x, y in zip(first, other, strict=True)]
    return _percentiles(np.mean(per_task, axis=0))


def table_rows(entries: Sequence[Entry], final_episodes: int) -> list[Row]:
    """A row per entry, then, where several tasks have a success rate, one per method over all of them.

    Args:
        final_episodes: episodes behind each run's final figure.
    """
    rows = [_row(entry.env, [entry], final_episodes) for entry in entries]
    return rows + [_row(EVERY_TASK, group, None) for group in _over_tasks(entries)]


def improvements(entries: Sequence[Entry]) -> list[Improvement]:
    """Every other method against the first one, over all tasks with a success rate; none without a second seed."""
    groups = _over_tasks(entries) or [[entry] for entry in entries if not _dense(entry)]
    found = []
    for group in groups[1:]:
        x, y = _finals(group), _finals(groups[0])
        if all(map(len, (*x, *y))) and _vary([*x, *y]):
            interval = improvement_interval(x, y)
            found.append(Improvement(group[0].method, groups[0][0].method, improvement(x, y), *interval))
    return found


def score(run: Summary, name: str) -> float | None:
    """A run's score `start`, `worst`, `dip` or `final`: a success rate, or a return for tasks without success."""
    dense = run["final_success"] is None
    start: float | None = run["bc_return_mean"] if dense else run["bc_success"]
    worst: float | None = run["worst_after_unfreeze"]
    final: float | None = run["final_return_mean"] if dense else run["final_success"]
    dip = None if start is None or worst is None else max(0.0, start - worst)
    return {"start": start, "worst": worst, "dip": dip, "final": final}[name]


def _row(env: str, entries: Sequence[Entry], final_episodes: int | None) -> Row:
    """The row of one method. `final_episodes`: per run, or None where there is no common final rate."""
    runs = [run for entry in entries for run in entry.runs]
    scored = all(entry.runs for entry in entries)  # a task without a run would shift every mean
    finals = _finals(entries) if scored else []
    dense = any(map(_dense, entries))
    final = float(np.mean(finals[0])) if scored and final_episodes else None
    low, high = (None, None) if final is None or dense else wilson(final, (final_episodes or 0) * len(runs))
    iqm_low, iqm_high = iqm_interval(finals) if scored and _vary(finals) else (None, None)
    means = {name: _mean(runs, name) if scored else None for name in ("start", "worst", "dip")}
    reached = {key: [run[key] for run in runs if run[key] is not None] for key in ("steps_to_90", "steps_to_95")}
    steps = {key: iqm(values) if values and scored else None for key, values in reached.items()}
    return Row(
        env=env,
        method=entries[0].method,
        given=entries[0].given,
        measure="return" if dense else "success",
        seeds=len(runs),
        planned=sum(entry.planned for entry in entries),
        **means,
        **steps,
        reached_90=len(reached["steps_to_90"]),
        reached_95=len(reached["steps_to_95"]),
        final=final,
        final_low=low,
        final_high=high,
        final_iqm=iqm(np.concatenate(finals)) if scored else None,
        final_iqm_low=iqm_low,
        final_iqm_high=iqm_high,
        cpu_s=float(np.mean([run["cpu_s"] for run in runs])) if scored else None,
    )


def _mean(runs: Sequence[Summary], name: str) -> float | None:
    known = [value for run in runs if (value := score(run, name)) is not None]
    return iqm(known) if known else None


def _over_tasks(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Per method its entries on the tasks with a success rate; nothing where that is one task or none."""
    dense = {entry.env for entry in entries if _dense(entry)}
    rated = [entry for entry in entries if entry.env not in dense]
    if len({entry.env for entry in rated}) < 2:
        return []
    return [[entry for entry in rated if entry.method == method] for method in dict.fromkeys(e.method for e in rated)]


def _dense(entry: Entry) -> bool:
    return any(run["final_success"] is None for run in entry.runs)


def _finals(entries: Sequence[Entry]) -> list[Scores]:
    return [np.array([score(run, "final") for run in entry.runs], dtype=np.float64) for entry in entries]


def _vary(strata: Sequence[Scores]) -> bool:
    """Whether redrawing can change anything: one run alone says nothing of how far runs differ."""
    return any(len(scores) > 1 for scores in strata)


def _redrawn(scores: Scores, rng: np.random.Generator) -> Scores:
    """Resamples with replacement, shape (resamples, runs)."""
    drawn: Scores = scores[rng.integers(len(scores), size=(_RESAMPLES, len(scores)))]
    return drawn


def _above(x: Scores, y: Scores) -> Scores:
    """Share of pairs in which `x` is above `y`. Shapes (resamples, n) and (resamples, m), result (resamples,)."""
    first, other = x[:, :, None], y[:, None, :]
    pairs = (first > other) + 0.5 * (first == other)
    share: Scores = pairs.mean(axis=(1, 2))
    return share


def _percentiles(values: Scores) -> Interval:
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high)
