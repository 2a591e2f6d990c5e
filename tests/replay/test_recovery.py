"""What survives when a writer is interrupted anywhere."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.replay.fold import DurableStore, ZarrLog
from porl_robot.replay.journal import SegmentWriter, encode_record
from porl_robot.replay.log import log_info, read_log
from porl_robot.replay.repair import repair_log
from porl_robot.replay.schema import encode_row, row_dtype
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogError, LogWriter

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import SPEC, make_stream
from porl_robot.replay.writer import LogWriter

run = Path(sys.argv[1])
open_log = LogWriter.reopen if (run / "log.zarr").exists() else LogWriter.create
writer = open_log(run, SPEC, fold_rows=5)
print(writer.acknowledged, flush=True)
lengths = [1 + i % 7 for i in range(1000)]
for record in make_stream(SPEC, lengths, first_episode=writer.episodes, first_row=writer.rows):
    writer.append(record)
    if record.frame_index % 3 == 2:
        writer.flush()
    print(writer.acknowledged, flush=True)
"""


def assert_whole(run, least):
    """At least `least` rows, each exactly once and in order, in arrays of equal length."""
    assert verify_log(run) == []
    log = read_log(run)
    assert log.rows >= least
    assert log.log_prob.tolist() == list(range(log.rows))
    info = log_info(run)
    assert (info.folded_rows, info.unfinished_rows) == (log.rows, 0)
    folded = ZarrLog(run, writable=False)
    assert all(a.shape[0] == folded.committed_length(path) for path, a in folded.arrays.items())
    return log


def crashed(run, spec, records):
    """A run whose writer died with `records` acknowledged and nothing folded; the segment's path."""
    run.mkdir()
    ZarrLog.create(run, spec)
    (run / "journal").mkdir()
    segment = SegmentWriter(run / "journal", 0, spec)
    dtype = row_dtype(spec)
    for record in records:
        final = b"" if record.final_observation is None else record.final_observation.tobytes()
        segment.append([encode_record(encode_row(record, dtype), final)])
    segment.close()
    return segment.path


def test_kill_9_at_random_moments_loses_nothing_acknowledged(tmp_path):
    run = tmp_path / "run"
    moment = random.Random(7)
    acknowledged, folds = 0, 0
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(run), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moment.uniform(0.0, 0.8))
        child.send_signal(signal.SIGKILL)
        lines = [line for line in child.stdout.read().splitlines(keepends=True) if line[-1] == "\n"]
        assert child.wait() == -signal.SIGKILL
        acknowledged = max([acknowledged, *map(int, lines)])
        interrupted = ZarrLog(run, writable=False)
        folds += any(a.shape[0] > interrupted.committed_length(p) for p, a in interrupted.arrays.items())
        repair_log(run)
        acknowledged = assert_whole(run, acknowledged).rows
    assert acknowledged > 20
    assert folds > 0, "no kill fell into a fold"


def test_a_fold_interrupted_at_any_file_is_finished_later(tmp_path, spec, stream, monkeypatch):
    run = tmp_path / "run"
    LogWriter.create(run, spec).close()
    replace, left = DurableStore._replace, 10**6

    def limited(store, path, content):
        nonlocal left
        if left == 0:
            raise OSError(28, "No space left on device")
        left -= 1
        replace(store, path, content)

    def fold_another_five_rows():
        log = read_log(run)
        writer = LogWriter.reopen(run, spec)
        for record in stream(spec, [2, 3], first_episode=log.episodes, first_row=log.rows):
            writer.append(record)
        writer.flush()
        with monkeypatch.context() as patch:
            patch.setattr(DurableStore, "_replace", limited)
            writer.close()

    fold_another_five_rows()
    files, rows = 10**6 - left, 5
    for survived in (0, 1, files // 2, *range(files - 4, files)):
        left = survived
        with pytest.raises(LogError, match="No space left"):
            fold_another_five_rows()
        repair_log(run)
        rows += 5
        assert assert_whole(run, rows).rows == rows


@pytest.mark.parametrize(("cut", "lost"), [(0, 0), (1, 1), (130, 1), (180, 2), (600, 5)])
def test_a_torn_journal_loses_only_the_torn_record(tmp_path, spec, stream, cut, lost):
    run = tmp_path / "run"
    segment = crashed(run, spec, stream(spec, [2, 3]))
    size = segment.stat().st_size
    os.truncate(segment, size - cut)
    done = repair_log(run)
    log = assert_whole(run, 5 - lost)
    assert log.rows == 5 - lost
    # What could not be read is kept for whoever wants to look at it.
    assert [p.suffix for p in (run / "journal").iterdir()] == ([".damaged"] if cut else [])
    assert any(f"folded {5 - lost} rows" in line for line in done) == (lost < 5)


def test_an_unfinished_episode_is_closed_as_truncated_with_unknown_end(tmp_path, spec, stream):
    run = tmp_path / "run"
    crashed(run, spec, list(stream(spec, [2, 4]))[:5])
    assert read_log(run).rows == 2
    assert log_info(run).unfinished_rows == 3
    with LogWriter.reopen(run, spec) as writer:
        assert (writer.rows, writer.acknowledged, writer.episodes) == (5, 5, 2)
    log = assert_whole(run, 5)
    assert log.truncated.tolist()[2:] == [False, False, True]
    assert np.isfinite(log.final_observation).all(axis=1).tolist() == [True, False]


def test_repair_of_a_whole_log_does_nothing(tmp_path, spec, stream):
    with LogWriter.create(tmp_path, spec) as writer:
        for record in stream(spec, [2, 3]):
            writer.append(record)
    assert repair_log(tmp_path) == []
    assert_whole(tmp_path, 5)


def test_a_segment_that_outlived_its_fold_is_not_folded_twice(tmp_path, spec, stream):
    run = tmp_path / "run"
    segment = crashed(run, spec, stream(spec, [2, 3]))
    content = segment.read_bytes()
    repair_log(run)
    segment.write_bytes(content)
    assert read_log(run).rows == 5
    repair_log(run)
    assert assert_whole(run, 5).rows == 5


def test_stray_files_are_reported_and_dropped(tmp_path, spec, stream):
    run = tmp_path / "run"
    crashed(run, spec, stream(spec, [2]))
    stray = run / "log.zarr/data/action/0.0.abc.partial"
    stray.write_bytes(b"")
    assert any("0.0.abc.partial" in line for line in verify_log(run))
    assert any("0.0.abc.partial" in line for line in repair_log(run))
    assert_whole(run, 2)


def test_a_lost_commit_point_is_not_taken_for_an_interrupted_fold(tmp_path, spec, stream):
    with LogWriter.create(tmp_path, spec) as writer:
        for record in stream(spec, [2, 3]):
            writer.append(record)
    chunk = tmp_path / "log.zarr/meta/episode_ends/0"
    content = chunk.read_bytes()
    chunk.unlink()
    for refuse in (lambda: repair_log(tmp_path), lambda: LogWriter.reopen(tmp_path, spec)):
        with pytest.raises(UserError, match="restore"):
            refuse()
    chunk.write_bytes(content)
    assert_whole(tmp_path, 5)


def test_a_fold_is_on_the_disk_before_its_journal_goes(tmp_path, spec, stream, monkeypatch):
    events = []

    def sync(descriptor):
        events.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))

    def recorded(name, method, path_of):
        def call(path, *args):
            result = method(path, *args)
            events.append((name, path_of(path, *args)))
            return result

        return call

    with LogWriter.create(tmp_path, spec) as writer:
        for record in stream(spec, [2, 3]):
            writer.append(record)
        writer.flush()
        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(Path, "replace", recorded("rename", Path.replace, lambda _, target: target))
        monkeypatch.setattr(Path, "unlink", recorded("delete", Path.unlink, lambda path: path))
    names = [name for name, _ in events]
    renamed = [path for name, path in events if name == "rename"]
    ends = tmp_path / "log.zarr/meta/episode_ends"
    assert renamed[-2:] == [ends / ".zarray", ends / "0"]
    # Every file is synced before it takes its name ...
    for path in renamed:
        at = events.index(("rename", path))
        assert any(n == "sync" and p.name.startswith(path.name) for n, p in events[:at])
    # ... every other array is named for good before the commit point moves ...
    commit = events.index(("rename", ends / ".zarray"))
    for path in {path.parent for path in renamed} - {ends}:
        assert ("sync", path) in events[:commit]
    # ... and the commit point before the journal goes.
    assert events[-2:] == [("sync", ends), ("delete", tmp_path / "journal/000000000000.bin")]
    assert names.count("delete") == 1
