"""`summary.json`: what every verb says about its run. The one place that knows the keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porl_robot.analysis.comparison import Improvement, Row
from porl_robot.analysis.identified import IdentifiedJoint, IdentifiedParameter
from porl_robot.analysis.statistics import wilson
from porl_robot.analysis.value_kinds import (
    COUNTS,
    CURVE,
    INTEGER,
    INTEGERS,
    NUMBER,
    NUMBERS,
    TEXT,
    TEXTS,
    TRUTH,
    Kind,
    records,
)
from porl_robot.files import replace_file


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a summary. Where `nullable` is set, null means "could not be said"."""

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False

    @property
    def expects(self) -> str:
        """Its type, in words."""
        return f"{self.kind.name} or null" if self.nullable else self.kind.name


ROWS = records(Row)
IMPROVEMENTS = records(Improvement)
PARAMETERS = records(IdentifiedParameter)
JOINTS = records(IdentifiedJoint)


def _rate(name: str, meaning: str) -> tuple[Key, Key, Key]:
    return (
        Key(name, NUMBER, f"{meaning}; null for tasks without success", nullable=True),
        Key(f"{name}_low", NUMBER, "lower end of its 95 % Wilson interval", nullable=True),
        Key(f"{name}_high", NUMBER, "upper end of its 95 % Wilson interval", nullable=True),
    )


_ENV = Key("env", TEXT, "name of the task")
_SEED = Key("seed", INTEGER, "random seed of the run")
_EPISODES = Key("episodes", INTEGER, "number of episodes")
_RETURN = Key("return_mean", NUMBER, "mean undiscounted return of an episode", nullable=True)
_INTERVENTIONS = Key("interventions", COUNTS, "steps that each safety filter changed")
_WALL = Key("wall_s", NUMBER, "wall time of the run [s]")

SCHEMA: Mapping[str, tuple[Key, ...]] = {
    "finetune": (
        Key("method", TEXT, "name of the method"),
        _ENV,
        _SEED,
        Key("env_steps", INTEGER, "environment steps of training; evaluations do not count"),
        Key("critic_updates", INTEGER, "gradient steps of the critics"),
        Key("actor_updates", INTEGER, "gradient steps of the actor"),
        Key("updates_per_step", NUMBER, "critic updates per environment step", nullable=True),
        Key("bc_success", NUMBER, "success of the policy at the start", nullable=True),
        Key("bc_success_sampled", NUMBER, "the same with sampled actions", nullable=True),
        Key("bc_return_mean", NUMBER, "mean return of the policy at the start", nullable=True),
        Key("curve", CURVE, "the evaluations in order; each `success` may be null"),
        Key("unfreeze_step", INTEGER, "environment step of the first actor update", nullable=True),
        Key(
            "worst_after_unfreeze",
            NUMBER,
            "lowest mean of two consecutive evaluations after it: success, or return for tasks without success",
            nullable=True,
        ),
        Key("steps_to_90", INTEGER, "first evaluation with at least 90 % success", nullable=True),
        Key("steps_to_95", INTEGER, "first evaluation with at least 95 % success", nullable=True),
        *_rate("final_success", "success of the final policy on fresh starts"),
        Key("final_return_mean", NUMBER, "mean return on those", nullable=True),
        _INTERVENTIONS,
        _WALL,
        Key("cpu_s", NUMBER, "processor time of the run without evaluations [s]"),
        Key("cpu_s_eval", NUMBER, "processor time of the evaluations [s]"),
        Key("stopped_because", TEXT, "why the run ended early; null if it did not", nullable=True),
        Key("initialised", TEXTS, "parts that the policy's folder did not hold, or held fewer members of"),
    ),
    "evaluate": (
        Key("policy", TEXT, "the policy that was evaluated"),
        _ENV,
        _SEED,
        _EPISODES,
        *_rate("success", "fraction of episodes that succeeded"),
        Key("assisted", INTEGER, "episodes in which a person took over; they count as failed"),
        _RETURN,
        Key("seconds", NUMBER, "wall time of the episodes [s]"),
    ),
    "pretrain": (
        _ENV,
        _SEED,
        Key("method", TEXT, "name of the method"),
        Key("log", TEXT, "the log that was learned from"),
        Key("steps", INTEGER, "gradient steps"),
        Key("kept_step", INTEGER, "gradient step of the policy that was kept"),
        Key("train_loss", NUMBER, "mean loss over the last training steps", nullable=True),
        Key("validation_loss", NUMBER, "loss on the held-out episodes at kept_step", nullable=True),
        *_rate("success", "success of the kept policy with its mean action"),
        *_rate("success_sampled", "success of the kept policy with sampled actions"),
        Key("episodes", INTEGER, "evaluation episodes behind each of the two"),
        Key("policy_hash", TEXT, "hash of the policy that was kept"),
        _WALL,
    ),
    "import-policy": (
        _ENV,
        _SEED,
        Key("source", TEXT, "the policy that was imported"),
        Key("kind", TEXT, "what it is: torchscript, export, onnx, sb3, state_dict or callable"),
        Key("route", TEXT, "converted (the same function) or distilled (fitted to its actions)"),
        Key("log", TEXT, "the log whose observations were used too", nullable=True),
        Key("fitted_on", INTEGER, "observations a distillation was fitted to; 0 for a conversion"),
        Key("compared_on", INTEGER, "recorded observations behind the mode difference, none of them fitted to"),
        Key("mode_difference_mean", NUMBERS, "mean of abs(mode - source's action) in each action dimension"),
        Key("mode_difference_95", NUMBERS, "its 95 % quantile in each"),
        Key("mode_difference_max", NUMBERS, "its maximum in each"),
        Key("tolerance", NUMBER, "what the 95 % quantiles were held against"),
        Key("within_tolerance", TRUTH, "whether every one of them is at most that"),
        Key("episodes", INTEGER, "evaluation episodes behind each of the two"),
        *_rate("source_success", "success of the source"),
        Key("source_return_mean", NUMBER, "its mean undiscounted return of an episode", nullable=True),
        *_rate("success", "success of the imported policy by its mode, on the same starts"),
        Key("return_mean", NUMBER, "its mean undiscounted return of an episode", nullable=True),
        Key("policy_hash", TEXT, "hash of the imported policy"),
        _WALL,
    ),
    "collect": (
        _ENV,
        Key("skill", TEXT, "how good the scripted demonstrator was; null where a person moved the arm", nullable=True),
        Key("teleop", TEXT, "with what a person moved the arm: leader or kinesthetic; else null", nullable=True),
        _SEED,
        _EPISODES,
        Key("steps", INTEGER, "environment steps over all episodes"),
        *_rate("success", "fraction of episodes that succeeded"),
        _RETURN,
        Key("length_mean", NUMBER, "mean length of an episode [steps]", nullable=True),
        _INTERVENTIONS,
        _WALL,
    ),
    "compare": (
        Key("methods", TEXTS, "methods compared"),
        Key("envs", TEXTS, "tasks"),
        Key("seeds", INTEGERS, "seeds; each has demonstrations, pre-trained policies and runs of its own"),
        Key("steps", INTEGER, "environment steps of a run"),
        Key("final_episodes", INTEGER, "episodes behind the final figure of a run"),
        Key("overrides", TEXTS, "keys that were handed on to the runs"),
        Key(
            "rows",
            ROWS,
            "the table, the rows over all tasks last; `start` to `dip` and `*_iqm` are interquartile means",
        ),
        Key("improvements", IMPROVEMENTS, "how likely a run of `method` ends higher than one of `over`"),
        Key("failed", TEXTS, "runs that failed, each with its reason"),
        Key("left_out", TEXTS, "runs there was no time for"),
        Key("estimated_h", NUMBER, "estimate before the first run was started [h]"),
        Key("wall_s", NUMBER, "wall time of this call alone, what was there before excepted [s]"),
    ),
    "identify": (
        Key("robot", TEXT, "kind of arm"),
        Key("log", TEXT, "the recording that was fitted"),
        Key("recorded", TEXT, "when it was recorded"),
        Key("calibration", TEXT, "hash of the arm's calibration"),
        Key("excited_s", NUMBER, "length of the recording [s], arm time"),
        Key("model", TEXT, "file of the identified model, for robot.model="),
        Key("joints", JOINTS, "RMS of simulated less measured position on the held-out blocks [rad]"),
        Key(
            "parameters",
            PARAMETERS,
            "of each joint: delay [s], kp [N m/rad], damping [N m s/rad], frictionloss [N m], backlash [rad]; `error` "
            "is a standard error, `told_by` data or prior",
        ),
        _WALL,
    ),
}


def rate(name: str, success: float | None, episodes: int) -> dict[str, float | None]:
    """The three keys of a success rate: itself and its 95 % Wilson interval."""
    low, high = (None, None) if success is None else wilson(success, episodes)
    return {name: success, f"{name}_low": low, f"{name}_high": high}


def write_summary(kind: str, path: Path, values: Mapping[str, Any]) -> None:
    """Writes `values` as the JSON file `path`, whole or not at all.

    NaN and infinity become null. Numpy numbers become plain ones.

    Raises:
        KeyError: `kind` is unknown, or a key is missing or unknown.
        TypeError: a value is not of the kind its key asks for.
    """
    keys = SCHEMA[kind]
    wrong = values.keys() ^ {key.name for key in keys}
    if wrong:
        raise KeyError(f"{kind} summary: missing or unknown keys {sorted(wrong)}")
    checked = {key.name: _checked(kind, key, values[key.name]) for key in keys}
    text = json.dumps(checked, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, text.encode())


def schema_table(kind: str) -> str:
    """The keys of one kind of summary as a markdown table."""
    rows = ["| key | type | meaning |", "|---|---|---|"]
    for key in SCHEMA[kind]:
        rows.append(f"| `{key.name}` | {key.expects} | {key.meaning} |")
    return "\n".join(rows) + "\n"


def _checked(kind: str, key: Key, value: Any) -> Any:
    try:
        plain = None if value is None else key.kind.convert(value)
    except TypeError:
        pass
    else:
        if plain is not None or key.nullable:
            return plain
    raise TypeError(f"{kind} summary: {key.name} must be {key.expects}, got {value!r}")
