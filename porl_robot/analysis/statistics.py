"""Statistics of evaluations: how sure a success rate is, and what a learning curve says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

_Z95 = 1.959963984540054  # two-sided 95 % quantile of the standard normal distribution


class Evaluation(TypedDict):
    """One point of a learning curve.

    Keys:
        env_steps: environment steps of learning before this evaluation.
        success: fraction of episodes that succeeded; None where the task knows only returns.
        episodes: how many were run.
        return_mean: mean undiscounted return.
    """

    env_steps: int
    success: float | None
    episodes: int
    return_mean: float


class CurveMetrics(TypedDict):
    """What a learning curve says, each None where it cannot be said."""

    worst_after_unfreeze: float | None
    steps_to_90: int | None
    steps_to_95: int | None


def wilson(success: float, episodes: int) -> tuple[float, float]:
    """95 % Wilson score interval of a success rate.

    Args:
        success: fraction of successes in [0, 1].
        episodes: number of trials; with none the interval is (0, 1).

    Raises:
        ValueError: an argument is outside its range.
    """
    if not 0.0 <= success <= 1.0 or episodes < 0:
        raise ValueError(f"no success rate: {success} in {episodes} episodes")
    if episodes == 0:
        return 0.0, 1.0
    spread = _Z95**2 / episodes
    centre = (success + spread / 2.0) / (1.0 + spread)
    inner = success * (1.0 - success) / episodes + spread / (4.0 * episodes)
    half = _Z95 * math.sqrt(inner) / (1.0 + spread)
    # The bounds of an all-or-nothing result are exact; only rounding moves them.
    low = 0.0 if success == 0.0 else max(0.0, centre - half)
    high = 1.0 if success == 1.0 else min(1.0, centre + half)
    return low, high


def learning_curve_metrics(curve: Sequence[Evaluation], unfreeze_step: int | None) -> CurveMetrics:
    """How far a run fell after its policy was unfrozen, and how soon it was good.

    `worst_after_unfreeze` is the lowest mean of two consecutive evaluations, both made after
    `unfreeze_step`: one evaluation alone is too noisy to call a collapse. It is a success rate, or a
    return where the task has no success. `steps_to_X` are the environment steps of the first
    evaluation with at least X % success.

    Args:
        curve: in the order of env_steps.
        unfreeze_step: environment steps before the policy's first update; None if there was none.
    """
    if unfreeze_step is None:
        return {"worst_after_unfreeze": None, "steps_to_90": None, "steps_to_95": None}
    later = [point for point in curve if point["env_steps"] > unfreeze_step]
    pairs = [(_score(a) + _score(b)) / 2.0 for a, b in pairwise(later)]
    return {
        "worst_after_unfreeze": min(pairs, default=None),
        "steps_to_90": _steps_to(0.90, curve),
        "steps_to_95": _steps_to(0.95, curve),
    }


def _score(point: Evaluation) -> float:
    return point["return_mean"] if point["success"] is None else point["success"]


def _steps_to(level: float, curve: Sequence[Evaluation]) -> int | None:
    for point in curve:
        if point["success"] is not None and point["success"] >= level:
            return point["env_steps"]
    return None
