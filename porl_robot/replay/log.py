"""Reading, checking and repairing the log of a run: `RUN/log.zarr` and `RUN/journal/`.

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
from porl_robot.replay.journal import (
    JOURNAL_NAME,
    JournalLock,
    Segment,
    pending,
    read_segments,
)
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS, FINAL_KEY, NO_SUCCESS, close_tail, episode_ends

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_NO_ORDER = "meta/episode_ends: does not increase"


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
    segments, folded = _open(run_dir)
    if not _in_order(folded.ends):
        raise UserError(f"{run_dir / LOG_NAME}: {_NO_ORDER}; expected an undamaged array: restore it from a copy")
    rows, finals = pending(segments, folded.rows, folded.spec)
    ends = episode_ends(rows)
    rows = rows[: ends[-1] if len(ends) else 0]
    columns: dict[str, npt.NDArray[Any]] = {
        field.name: np.concatenate([folded.read(f"data/{field.key}"), rows[field.key]]) for field in FIELDS
    }
    columns["episode_ends"] = np.concatenate([folded.ends, folded.rows + ends])
    columns["final_observation"] = np.concatenate([folded.read(f"meta/{FINAL_KEY}"), finals])
    return LogData(path=run_dir, spec=folded.spec, **_frozen(columns))


def require_trainable(log: LogData) -> None:
    """What training asks of a log.

    Raises:
        UserError: an observation, an action or a reward is NaN or infinite, an action outside [-1, 1], or a reward
            outside the bounds that the log names.
    """
    problems = _row_problems(log)
    if problems:
        raise UserError(
            f"{log.path / LOG_NAME}: {problems[0]}; expected a finite observation.state, an action within "
            "[-1, 1], and a finite next.reward that the task can give, in every row"
        )


def log_info(run_dir: Path) -> LogInfo:
    """A log at a glance.

    Raises:
        UserError: there is no readable log of this format.
    """
    segments, folded = _open(run_dir)
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


def verify_log(run_dir: Path) -> list[str]:
    """What is wrong with the log, one line each; empty where nothing is.

    Meant for a log that nobody writes: a fold in progress looks like one that was interrupted.

    Raises:
        UserError: there is no readable log of this format.
    """
    segments, folded = _open(run_dir)
    problems = [
        f"{file.relative_to(run_dir)}: left over from an interrupted write"
        for file in sorted((run_dir / LOG_NAME).rglob("*.partial"))
    ]
    for path, array in folded.arrays.items():
        length = folded.committed_length(path)
        if array.shape[0] > length:
            problems.append(f"{path}: {array.shape[0]} rows, but only {length} are committed")
    expected = folded.rows
    for segment in segments:
        name = segment.path.relative_to(run_dir)
        if segment.cut_bytes:
            problems.append(f"{name}: {segment.cut_bytes} bytes after the last good record")
        if segment.first_row > expected:
            problems.append(f"{name}: rows {expected} to {segment.first_row - 1} are missing")
        expected = max(expected, segment.first_row + len(segment.rows))
    if not _in_order(folded.ends):
        return [*problems, _NO_ORDER]
    try:
        return problems + _data_problems(read_log(run_dir))
    except UserError as error:
        return [*problems, str(error)]


def repair_log(run_dir: Path) -> list[str]:
    """Cuts the log to its commit point and folds the journal; loses no acknowledged row.

    Returns:
        what was done, one line each.

    Raises:
        UserError: there is no readable log of this format, it is being written, or folding the
            journal would not bring back every row of the arrays.
    """
    if not (run_dir / LOG_NAME).is_dir():
        ZarrLog(run_dir, writable=False)  # raises, and names what is missing
    lock = lock_log(run_dir)
    try:
        return recover(ZarrLog(run_dir, writable=True))
    finally:
        lock.release()


def lock_log(run_dir: Path) -> JournalLock:
    """Takes the right to write the log in `run_dir`; makes its journal folder where there is none.

    Raises:
        UserError: another writer holds it.
    """
    journal = run_dir / JOURNAL_NAME
    journal.mkdir(parents=True, exist_ok=True)
    return JournalLock(journal)


def recover(folded: ZarrLog) -> list[str]:
    """`repair_log` for who holds the lock.

    An unfinished episode is ended as truncated, its final observation unknown (NaN).
    """
    segments = read_segments(folded.run_dir / JOURNAL_NAME)
    rows, finals = pending(segments, folded.rows, folded.spec)
    _require_covered(folded, len(rows))
    done = folded.truncate()
    closed, finals = close_tail(rows, finals)
    if closed is not rows:
        done.append("ended the unfinished last episode as truncated, final observation unknown")
    folded.fold(closed, finals)
    if len(rows):
        done.append(f"folded {len(rows)} rows of the journal")
    for segment in segments:
        if segment.cut_bytes or segment.first_row + len(segment.rows) > folded.rows:
            kept = segment.path.with_suffix(".damaged")
            segment.path.rename(kept)
            done.append(f"kept {kept.relative_to(folded.run_dir)} with {segment.cut_bytes} unreadable bytes")
        else:
            segment.path.unlink()
    return done


def _frozen(columns: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    for column in columns.values():
        column.setflags(write=False)
    return columns


def _in_order(ends: Int64) -> bool:
    return bool(np.all(np.diff(ends, prepend=0) > 0))


def _open(run_dir: Path) -> tuple[list[Segment], ZarrLog]:
    # The journal comes first: what a fold deletes there afterwards is then in the arrays.
    return read_segments(run_dir / JOURNAL_NAME), ZarrLog(run_dir, writable=False)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # a writer renamed or deleted it
        return 0


def _require_covered(folded: ZarrLog, journal_rows: int) -> None:
    """Refuses to cut rows that the journal does not hold: a damaged commit point, not a crash."""
    kept = folded.rows + journal_rows
    for path, array in folded.arrays.items():
        if path.startswith("data/") and array.shape[0] > kept:
            raise UserError(
                f"{folded.run_dir / LOG_NAME}: {path} has {array.shape[0]} rows, but only "
                f"{folded.rows} are committed and {journal_rows} are in the journal; "
                "expected an undamaged meta/episode_ends: restore it from a copy"
            )


def _row_problems(log: LogData) -> list[str]:
    wrong = {
        "data/observation.state: not finite": ~np.isfinite(log.observation),
        "data/action: not finite": ~np.isfinite(log.action),
        "data/action: outside [-1, 1]": np.abs(log.action) > 1.0,
        "data/next.reward: not finite": ~np.isfinite(log.reward)[:, None],
    }
    if log.spec.reward_bounds is not None:
        low, high = np.float32(log.spec.reward_bounds)
        outside = (log.reward < low) | (log.reward > high)
        wrong[f"data/next.reward: outside the task's [{low:g}, {high:g}]"] = outside[:, None]
    problems = []
    for problem, elements in wrong.items():
        bad = np.flatnonzero(elements.any(axis=1))
        if len(bad):
            where = f"first in episode {log.episode_index[bad[0]]}, step {log.frame_index[bad[0]]}"
            problems.append(f"{problem} in {len(bad)} rows, {where}")
    return problems


def _data_problems(log: LogData) -> list[str]:
    problems = _row_problems(log)
    lengths = np.diff(log.episode_ends, prepend=0)
    starts = np.repeat(log.episode_ends - lengths, lengths)
    marked = np.flatnonzero(log.terminated | log.truncated) + 1
    checks = {
        "meta/episode_ends: differs from where next.terminated or next.truncated is set": (
            np.array_equal(marked, log.episode_ends)
        ),
        "data/frame_index: does not count every episode from 0": (
            np.array_equal(log.frame_index, np.arange(log.rows) - starts)
        ),
        "data/episode_index: does not count the episodes from 0": (
            np.array_equal(log.episode_index, np.repeat(np.arange(log.episodes), lengths))
        ),
    }
    return problems + [problem for problem, good in checks.items() if not good]
