"""Writing the log of a run: the caller hands over records, a thread makes them durable."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from types import TracebackType

import numpy as np

from porl_robot.errors import UserError
from porl_robot.replay.fold import CHUNK_ROWS, LOG_NAME, ZarrLog
from porl_robot.replay.journal import JOURNAL_NAME, JournalLock, SegmentWriter, encode_record
from porl_robot.replay.record import LogSpec, StepRecord
from porl_robot.replay.repair import lock_log, recover
from porl_robot.replay.schema import close_tail, encode_row, row_dtype

QUEUE_ROWS = 4096
BATCH_SECONDS = 0.05

_Entry = tuple[bytes, bytes]  # packed row, final observation (empty within an episode)


class LogError(UserError):
    """The log can no longer be written; the cause is chained."""


class LogWriter:
    """Appends to the log of one run. Made by `create` or `reopen`; used by one thread.

    Leaving it as a context manager, also by an exception, closes it.
    """

    def __init__(self, folded: ZarrLog, lock: JournalLock, fold_rows: int) -> None:
        self._folded = folded
        self._lock = lock
        self._fold_rows = fold_rows
        self._dtype = row_dtype(folded.spec)
        self._episodes = len(folded.ends)
        self._frame = 0
        self._rows = self._acknowledged = folded.rows

        self._queue: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._urgent = False
        self._closing = False
        self._failure: BaseException | None = None

        self._segment: SegmentWriter | None = None
        self._unfolded: list[_Entry] = []
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, run_dir: Path, spec: LogSpec, *, fold_rows: int = CHUNK_ROWS) -> LogWriter:
        """Begins a log in `run_dir`, which is made where it does not exist.

        Args:
            run_dir: the run folder.
            spec: what the log says of itself.
            fold_rows: the journal is folded at the first episode end after so many rows.

        Raises:
            UserError: the folder holds a log already or cannot be written.
        """
        if (run_dir / LOG_NAME).exists() or any((run_dir / JOURNAL_NAME).glob("*.bin")):
            raise UserError(f"{run_dir}: already holds a log; expected a folder without one")
        try:
            lock = lock_log(run_dir)
        except OSError as error:
            raise UserError(
                f"{run_dir}: no log can be made here ({error.strerror}); expected a writable folder"
            ) from error
        try:
            return cls(ZarrLog.create(run_dir, spec), lock, fold_rows)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def reopen(cls, run_dir: Path, spec: LogSpec, *, fold_rows: int = CHUNK_ROWS) -> LogWriter:
        """Continues the log in `run_dir` after repairing what a crash left (see `repair_log`).

        Raises:
            UserError: there is no readable log, it is being written, or it has another spec.
        """
        written = ZarrLog(run_dir, writable=False).spec
        if written != spec:
            raise UserError(f"{run_dir}: the log was written as {written}; expected {spec}")
        lock = lock_log(run_dir)
        try:
            folded = ZarrLog(run_dir, writable=True)
            recover(folded)
            return cls(folded, lock, fold_rows)
        except BaseException:
            lock.release()
            raise

    @property
    def rows(self) -> int:
        """Steps handed over, those from before `reopen` included."""
        return self._rows

    @property
    def episodes(self) -> int:
        """Complete episodes handed over; the `episode_index` of the next record that begins one."""
        return self._episodes

    @property
    def acknowledged(self) -> int:
        """Steps that survive a crash or a power cut."""
        return self._acknowledged

    def append(self, record: StepRecord) -> None:
        """Hands over one step and returns at once; waits only while the queue is full.

        Raises:
            ValueError: the record does not follow the one before or does not fit the spec.
            LogError: the log is closed or can no longer be written.
        """
        entry = self._encode(record)
        with self._changed:
            self._check()
            while len(self._queue) >= QUEUE_ROWS:
                self._hurry()
            self._queue.append(entry)
            self._rows += 1
        if entry[1]:
            self._episodes, self._frame = self._episodes + 1, 0
        else:
            self._frame += 1

    def flush(self) -> None:
        """Waits until every step handed over is acknowledged.

        Raises:
            LogError: the log is closed or can no longer be written.
        """
        with self._changed:
            self._check()
            while self._acknowledged < self._rows:
                self._hurry()

    def close(self) -> None:
        """Folds everything and ends the thread. May be called twice.

        An unfinished episode is ended as truncated, its final observation unknown (NaN).

        Raises:
            LogError: the log could not be written to its end.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._lock.release()
        if self._failure is not None:
            raise self._error() from self._failure

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _encode(self, record: StepRecord) -> _Entry:
        place = (record.episode_index, record.frame_index)
        if place != (self._episodes, self._frame):
            raise ValueError(f"record is (episode, frame) {place}, expected {(self._episodes, self._frame)}")
        final = record.final_observation
        if (record.terminated or record.truncated) != (final is not None):
            raise ValueError("final_observation must be set exactly where the episode ends")
        row = encode_row(record, self._dtype)
        if final is None:
            return row, b""
        size = self._folded.spec.observation_size
        if np.shape(final) != (size,):
            raise ValueError(f"final_observation has shape {np.shape(final)}, expected {(size,)}")
        return row, np.asarray(final, "<f4").tobytes()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._error() from self._failure
        if self._closing:
            raise LogError(f"{self._folded.run_dir}: the log is closed")

    def _error(self) -> LogError:
        cause = f"{type(self._failure).__name__}: {self._failure}"
        return LogError(f"{self._folded.run_dir}: the log can no longer be written ({cause})")

    def _hurry(self) -> None:
        """Waits for the thread without letting it finish its pause. Called with `_changed` held."""
        self._urgent = True
        self._changed.notify_all()
        self._changed.wait()
        self._check()

    # The writer thread.

    def _run(self) -> None:
        try:
            closing = False
            while not closing:
                with self._changed:
                    # The pause gathers a batch: a fast simulation then causes few syncs.
                    self._changed.wait_for(lambda: self._urgent or self._closing, BATCH_SECONDS)
                    closing, self._urgent = self._closing, False
                    batch = list(self._queue)
                    self._queue.clear()
                    self._changed.notify_all()
                self._store(batch)
            self._fold()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            if self._segment is not None:
                self._segment.close()

    def _store(self, batch: list[_Entry]) -> None:
        """Journals `batch`, folding wherever an episode end makes enough rows."""
        begin = 0
        for at, entry in enumerate(batch, start=1):
            if entry[1] and len(self._unfolded) + at - begin >= self._fold_rows:
                self._journal(batch[begin:at])
                self._fold()
                begin = at
        self._journal(batch[begin:])

    def _journal(self, entries: list[_Entry]) -> None:
        if not entries:
            return
        if self._segment is None:
            journal = self._folded.run_dir / JOURNAL_NAME
            self._segment = SegmentWriter(journal, self._folded.rows, self._folded.spec)
        self._segment.append([encode_record(row, final) for row, final in entries])
        self._unfolded += entries
        with self._changed:
            self._acknowledged += len(entries)
            self._changed.notify_all()

    def _fold(self) -> None:
        """Folds all journalled rows and deletes their segment.

        An unfinished episode among them, possible only on closing, is ended.
        """
        if self._segment is None:
            return
        rows = np.frombuffer(b"".join(row for row, _ in self._unfolded), self._dtype)
        finals = np.frombuffer(b"".join(final for _, final in self._unfolded), "<f4")
        size = self._folded.spec.observation_size
        self._folded.fold(*close_tail(rows, finals.reshape(-1, size)))
        self._unfolded.clear()
        self._segment.close()
        self._segment.path.unlink()
        self._segment = None
