"""Who writes a log: one at a time, again later, and what becomes of errors."""

import dataclasses
import time

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.replay import writer as writer_module
from porl_robot.replay.journal import SegmentWriter
from porl_robot.replay.log import read_log
from porl_robot.replay.repair import repair_log
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogError, LogWriter

from .logs import assert_same, refused, write


def test_reopening_continues(tmp_path, spec, stream):
    records = list(stream(spec, [3, 2, 4]))
    write(tmp_path, spec, records[:5])
    with LogWriter.reopen(tmp_path, spec) as writer:
        assert (writer.rows, writer.episodes, writer.acknowledged) == (5, 2, 5)
        for record in records[5:]:
            writer.append(record)
    assert_same(read_log(tmp_path), records)


def test_leaving_by_an_exception_keeps_everything_and_ends_the_episode(tmp_path, spec, stream):
    records = list(stream(spec, [3, 4]))
    with pytest.raises(KeyError), LogWriter.create(tmp_path, spec) as writer:
        for record in records[:5]:
            writer.append(record)
        raise KeyError
    log = read_log(tmp_path)
    assert log.episode_ends.tolist() == [3, 5]
    assert log.truncated[-1] and np.isnan(log.final_observation[-1]).all()
    assert verify_log(tmp_path) == []


def test_a_full_queue_makes_the_caller_wait(tmp_path, spec, stream, monkeypatch):
    monkeypatch.setattr(writer_module, "QUEUE_ROWS", 4)
    records = list(stream(spec, [30]))
    write(tmp_path, spec, records)
    assert_same(read_log(tmp_path), records)


def test_the_death_of_the_thread_reaches_every_caller(tmp_path, spec, stream, monkeypatch):
    records = list(stream(spec, [2, 3]))
    writer = LogWriter.create(tmp_path, spec)
    for record in records[:2]:
        writer.append(record)
    writer.flush()
    full = OSError(28, "No space left on device")

    def fail(*_):
        time.sleep(0.1)  # the caller is waiting by then
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "append", fail)
        writer.append(records[2])
        for call in (writer.flush, lambda: writer.append(records[3]), writer.close):
            with pytest.raises(LogError, match="No space left") as caught:
                call()
            assert caught.value.__cause__ is full
    with LogWriter.reopen(tmp_path, spec) as again:
        assert again.rows == 2


def test_a_closed_log_takes_no_more(tmp_path, spec, stream):
    writer = LogWriter.create(tmp_path, spec)
    writer.close()
    writer.close()
    with pytest.raises(LogError, match="closed"):
        writer.append(next(stream(spec, [1])))


@pytest.mark.parametrize(
    "change",
    [
        {"episode_index": 1},
        {"frame_index": 1},
        {"final_observation": np.zeros(5)},
        {"truncated": True},
        {"truncated": True, "final_observation": np.zeros(4)},
        {"observation": np.zeros(4)},
    ],
)
def test_a_record_out_of_place_is_refused_and_the_log_goes_on(tmp_path, spec, stream, change):
    record = next(stream(spec, [2]))
    with LogWriter.create(tmp_path, spec) as writer:
        with pytest.raises(ValueError):
            writer.append(dataclasses.replace(record, **change))
        writer.append(record)
        assert writer.rows == 1


def test_a_folder_takes_one_log(tmp_path, spec, stream):
    write(tmp_path, spec, stream(spec, [2]))
    refused(lambda: LogWriter.create(tmp_path, spec), tmp_path, "already holds a log")


def test_a_log_takes_one_writer(tmp_path, spec):
    with LogWriter.create(tmp_path, spec):
        for second in (lambda: LogWriter.reopen(tmp_path, spec), lambda: repair_log(tmp_path)):
            with pytest.raises(UserError, match="being written"):
                second()


def test_another_spec_is_refused(tmp_path, spec, stream):
    write(tmp_path, spec, stream(spec, [2]))
    other = dataclasses.replace(spec, env="arm_push")
    refused(lambda: LogWriter.reopen(tmp_path, other), tmp_path, "arm_push", "arm_reach")


def test_no_log_can_be_made_below_a_file(tmp_path, spec):
    (tmp_path / "file").write_text("")
    refused(lambda: LogWriter.create(tmp_path / "file" / "run", spec), tmp_path, "writable")
