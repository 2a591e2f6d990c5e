"""How a `StepRecord` lies on disk: one packed row, whose fields are the arrays of the log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.replay.record import LogSpec, Phase, Source, StepRecord

Rows = npt.NDArray[np.void]
"""Structured array of `row_dtype`; shape (n,)."""

ENDS_KEY = "episode_ends"
FINAL_KEY = "next.observation.state"


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute of `StepRecord` and the array that holds it.

    Attributes:
        name: attribute of `StepRecord`.
        key: array under `data/`.
        dtype: element type on disk, little-endian.
        per: what one row holds a vector of; None for a scalar.
    """

    name: str
    key: str
    dtype: str
    per: Literal["observation", "action"] | None = None

    def shape(self, spec: LogSpec) -> tuple[int, ...]:
        """Shape of this field in one row."""
        if self.per is None:
            return ()
        return (spec.observation_size if self.per == "observation" else spec.action_size,)


FIELDS = (
    Field("observation", "observation.state", "<f4", "observation"),
    Field("action", "action", "<f4", "action"),
    Field("action_requested", "action_requested", "<f4", "action"),
    Field("log_prob", "log_prob", "<f4"),
    Field("reward", "next.reward", "<f4"),
    Field("terminated", "next.terminated", "|b1"),
    Field("truncated", "next.truncated", "|b1"),
    Field("success", "next.success", "|i1"),
    Field("source", "source", "|u1"),
    Field("is_intervention", "is_intervention", "|b1"),
    Field("filters", "filters", "<u4"),
    Field("episode_index", "episode_index", "<i8"),
    Field("frame_index", "frame_index", "<i8"),
    Field("phase", "phase", "|u1"),
    Field("policy_version", "policy_version", "<i4"),
    Field("time_tick", "time.tick", "<f8"),
    Field("time_observed", "time.observed", "<f8"),
    Field("time_sent", "time.sent", "<f8"),
)

NO_SUCCESS = -1
"""`next.success` of a task without a notion of success, and at the end of an episode that the operator discarded."""


def row_dtype(spec: LogSpec) -> np.dtype[np.void]:
    """The packed row: fields named by their keys, in the order of `FIELDS`."""
    return np.dtype([(field.key, field.dtype, field.shape(spec)) for field in FIELDS])


def encode_row(record: StepRecord, dtype: np.dtype[np.void]) -> bytes:
    """The row of `record`; its final observation is not part of it.

    Raises:
        ValueError: a vector has another shape than `dtype` says.
    """
    values = []
    for field in FIELDS:
        value = getattr(record, field.name)
        if field.per is not None and np.shape(value) != dtype[field.key].shape:
            raise ValueError(f"{field.name} has shape {np.shape(value)}, expected {dtype[field.key].shape}")
        values.append(NO_SUCCESS if value is None else value)
    return np.array(tuple(values), dtype=dtype).tobytes()


def decode_row(row: np.void, final_observation: FloatArray | None) -> StepRecord:
    """The record that `encode_row` made `row` from, rounded to the types on disk."""
    values: dict[str, Any] = {}
    for field in FIELDS:
        value = row[field.key]
        values[field.name] = value.item() if field.per is None else value.copy()
    values["success"] = None if values["success"] == NO_SUCCESS else bool(values["success"])
    values["source"] = Source(values["source"])
    values["phase"] = Phase(values["phase"])
    return StepRecord(**values, final_observation=final_observation)


def episode_ends(rows: Rows) -> npt.NDArray[np.int64]:
    """Row count up to the end of every complete episode in `rows`; shape (episodes,)."""
    return np.flatnonzero(rows["next.terminated"] | rows["next.truncated"]) + 1


def close_tail(rows: Rows, finals: FloatArray) -> tuple[Rows, FloatArray]:
    """Ends an unfinished last episode as truncated, its final observation unknown.

    Args:
        rows: shape (n,).
        finals: final observations of the complete episodes, shape (episodes, D).
    """
    ends = episode_ends(rows)
    if len(rows) == (ends[-1] if len(ends) else 0):
        return rows, finals
    closed = rows.copy()
    closed["next.truncated"][-1] = True
    unknown = np.full((1, finals.shape[1]), np.nan, np.float32)
    return closed, np.concatenate([finals, unknown])


def spec_to_json(spec: LogSpec) -> dict[str, Any]:
    """`spec` in types that JSON gives back unchanged."""
    mapping: dict[str, Any] = json.loads(json.dumps(asdict(spec)))
    return mapping


def spec_from_json(mapping: dict[str, Any]) -> LogSpec:
    """The spec that `spec_to_json` made `mapping` from.

    Raises:
        KeyError, TypeError, ValueError: `mapping` is not such a spec.
    """
    bounds = mapping["reward_bounds"]
    return LogSpec(
        env=str(mapping["env"]),
        observation_size=int(mapping["observation_size"]),
        action_size=int(mapping["action_size"]),
        control_hz=float(mapping["control_hz"]),
        reward_bounds=None if bounds is None else (float(bounds[0]), float(bounds[1])),
        has_success=bool(mapping["has_success"]),
        filters=tuple(str(name) for name in mapping["filters"]),
    )
