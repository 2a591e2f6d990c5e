"""Bringing a log back to its commit point, with what the journal holds."""

from __future__ import annotations

from pathlib import Path

from porl_robot.errors import UserError
from porl_robot.replay.fold import LOG_NAME, ZarrLog
from porl_robot.replay.journal import JOURNAL_NAME, JournalLock, pending, read_segments
from porl_robot.replay.schema import close_tail


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
