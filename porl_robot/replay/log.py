"""Reading the log of a run: `RUN/log.zarr` and `RUN/journal/`.

Reading never writes: it joins the folded rows with the complete episodes of the journal, also while
a run writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from porl_robot.errors import UserError
from porl_robot.replay.fold import LOG_NAME, ZarrLog
from porl_robot.replay.journal import JOURNAL_NAME, Segment, pending, read_segments
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS, FINAL_KEY, NO_SUCCESS, episode_ends

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

NO_ORDER = "meta/episode_ends: does not increase"
"""What is wrong where `in_order` does not hold."""


@dataclass(frozen=True, slots=True)
class LogData:
    """All complete episodes of a log, in memory.

    Arrays are contiguous and read-only; meanings as in `StepRecord`.

    Attributes:
        path: the run folder.
        spec: what the log says of itself.
        observation: shape (N, D).
        action, action_requested: shape (N, A).
        success: shape (N,): 1, 0, or -1 where the task has no notion of success and at the end of discarded episodes.
        episode_ends: rows up to the end of each episode, shape (E,).
        final_observation: shape (E, D); NaN where a crash left it unknown: never bootstrap from it.

    All others: shape (N,).
    """

    path: Path
    spec: LogSpec
    observation: Float32
    action: Float32
    action_requested: Float32
    log_prob: Float32
    reward: Float32
    terminated: Bool
    truncated: Bool
    success: npt.NDArray[np.int8]
    source: npt.NDArray[np.uint8]
    is_intervention: Bool
    filters: npt.NDArray[np.uint32]
    episode_index: Int64
    frame_index: Int64
    phase: npt.NDArray[np.uint8]
    policy_version: npt.NDArray[np.int32]
    time_tick: Float64
    time_observed: Float64
    time_sent: Float64
    episode_ends: Int64
    final_observation: Float32

    @property
    def rows(self) -> int:
        """N."""
        return len(self.reward)

    @property
    def episodes(self) -> int:
        """E."""
        return len(self.episode_ends)

    @property
    def discarded(self) -> Bool:
        """Which episodes the operator discarded. Shape (E,)."""
        ends: Bool = self.success[self.episode_ends - 1] == NO_SUCCESS
        return ends & self.spec.has_success

    def kept(self) -> LogData:
        """The log without the episodes that the operator discarded."""
        stays = ~self.discarded
        lengths = np.diff(self.episode_ends, prepend=0)
        rows = np.repeat(stays, lengths)
        columns: dict[str, npt.NDArray[Any]] = {field.name: getattr(self, field.name)[rows] for field in FIELDS}
        columns["episode_ends"] = np.cumsum(lengths[stays])
        columns["final_observation"] = self.final_observation[stays]
        return LogData(path=self.path, spec=self.spec, **_frozen(columns))

    def episode(self, index: int) -> slice:
        """The rows of one episode."""
        start = int(self.episode_ends[index - 1]) if index else 0
        return slice(start, int(self.episode_ends[index]))


@dataclass(frozen=True, slots=True)
class LogInfo:
    """A log at a glance.

    Attributes:
        path: the run folder.
        spec: what the log says of itself.
        episodes, rows: complete episodes and their steps.
        folded_rows: how many of `rows` are in the arrays; the rest is in the journal.
        unfinished_rows: steps of an episode that a running or crashed writer has not ended.
        size: bytes on disk.
    """

    path: Path
    spec: LogSpec
    episodes: int
    rows: int
    folded_rows: int
    unfinished_rows: int
    size: int


def read_log(run_dir: Path) -> LogData:
    """Every complete episode of the log in `run_dir`.

    Raises:
        UserError: there is no readable log of this format, or its episodes have no order.
    """
    segments, folded = open_log(run_dir)
    if not in_order(folded.ends):
        raise UserError(f"{run_dir / LOG_NAME}: {NO_ORDER}; expected an undamaged array: restore it from a copy")
    rows, finals = pending(segments, folded.rows, folded.spec)
    ends = episode_ends(rows)
    rows = rows[: ends[-1] if len(ends) else 0]
    columns: dict[str, npt.NDArray[Any]] = {
        field.name: np.concatenate([folded.read(f"data/{field.key}"), rows[field.key]]) for field in FIELDS
    }
    columns["episode_ends"] = np.concatenate([folded.ends, folded.rows + ends])
    columns["final_observation"] = np.concatenate([folded.read(f"meta/{FINAL_KEY}"), finals])
    return LogData(path=run_dir, spec=folded.spec, **_frozen(columns))


def log_info(run_dir: Path) -> LogInfo:
    """A log at a glance.

    Raises:
        UserError: there is no readable log of this format.
    """
    segments, folded = open_log(run_dir)
    rows, _ = pending(segments, folded.rows, folded.spec)
    ends = episode_ends(rows)
    complete = int(ends[-1]) if len(ends) else 0
    files = [*(run_dir / LOG_NAME).rglob("*"), *(run_dir / JOURNAL_NAME).glob("*")]
    return LogInfo(
        path=run_dir,
        spec=folded.spec,
        episodes=len(folded.ends) + len(ends),
        rows=folded.rows + complete,
        folded_rows=folded.rows,
        unfinished_rows=len(rows) - complete,
        size=sum(_size(file) for file in files),
    )


def _frozen(columns: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    for column in columns.values():
        column.setflags(write=False)
    return columns


def in_order(ends: Int64) -> bool:
    """Whether the cumulative `ends` of the episodes can be that."""
    return bool(np.all(np.diff(ends, prepend=0) > 0))


def open_log(run_dir: Path) -> tuple[list[Segment], ZarrLog]:
    """The journal and the arrays, for reading.

    Raises:
        UserError: there is no readable log of this format.
    """
    # The journal comes first: what a fold deletes there afterwards is then in the arrays.
    return read_segments(run_dir / JOURNAL_NAME), ZarrLog(run_dir, writable=False)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # a writer renamed or deleted it
        return 0
