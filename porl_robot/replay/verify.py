"""Is a log whole, and fit to be trained on? Nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from porl_robot.errors import UserError
from porl_robot.replay.fold import LOG_NAME
from porl_robot.replay.journal import JOURNAL_NAME, JournalLock
from porl_robot.replay.log import NO_ORDER, LogData, in_order, open_log, read_log


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


def verify_log(run_dir: Path) -> list[str]:
    """What is wrong with the log, one line each; empty where nothing is.

    Raises:
        UserError: there is no readable log of this format, or somebody writes it: a fold in progress looks like one
            that was interrupted.
    """
    if JournalLock.is_held(run_dir / JOURNAL_NAME):
        raise UserError(f"{run_dir}: the log is being written; verify it once its run has ended")
    segments, folded = open_log(run_dir)
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
    if not in_order(folded.ends):
        return [*problems, NO_ORDER]
    try:
        return problems + _data_problems(read_log(run_dir))
    except UserError as error:
        return [*problems, str(error)]


def _row_problems(log: LogData) -> list[str]:
    wrong = {
        "data/observation.state: not finite": ~np.isfinite(log.observation),
        "data/action: not finite": ~np.isfinite(log.action),
        "data/action: outside [-1, 1]": np.abs(log.action) > 1.0,
        "data/next.reward: not finite": ~np.isfinite(log.reward)[:, None],
    }
    if log.spec.reward_bounds is not None:
        low, high = map(np.float32, log.spec.reward_bounds)
        # An operator who marks a failure takes what the rest of the episode could have cost at once.
        failed = log.terminated & (log.success == 0)
        outside = ((log.reward < low) & ~failed) | (log.reward > high)
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
