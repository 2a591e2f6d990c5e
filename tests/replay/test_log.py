import dataclasses
import json
import threading
import time

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from porl_robot.errors import UserError
from porl_robot.replay import log as log_module
from porl_robot.replay import writer as writer_module
from porl_robot.replay.journal import SegmentWriter
from porl_robot.replay.log import log_info, read_log, repair_log, require_trainable, verify_log
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS
from porl_robot.replay.writer import LogError, LogWriter


def write(run, spec, records, **options):
    with LogWriter.create(run, spec, **options) as writer:
        for record in records:
            writer.append(record)


def assert_same(log, records):
    """The log holds exactly `records`, rounded to the types on disk."""
    for field in FIELDS:
        values = [getattr(record, field.name) for record in records]
        if field.name == "success":
            values = [-1 if value is None else int(value) for value in values]
        column = getattr(log, field.name)
        assert column.dtype == np.dtype(field.dtype)
        assert column.flags.c_contiguous and not column.flags.writeable
        expected = np.array(values, field.dtype).reshape(-1, *field.shape(log.spec))
        np.testing.assert_array_equal(column, expected)
    finals = [r.final_observation for r in records if r.final_observation is not None]
    np.testing.assert_array_equal(log.final_observation, np.array(finals).reshape(-1, log.spec.observation_size))
    ends = [i for i, record in enumerate(records, 1) if record.final_observation is not None]
    assert log.episode_ends.tolist() == ends


def refused(function, *names):
    """The message of the UserError that `function` raises: one line with all of `names` in it."""
    with pytest.raises(UserError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for name in (*names, "expected"):
        assert str(name) in message
    return message


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 9), max_size=6),
    st.integers(1, 20),
    st.integers(1, 4),
)
def test_any_stream_round_trips(tmp_path_factory, stream, seed, lengths, fold_rows, size):
    spec = LogSpec("x", size, size + 1, 12.5, None, False, ())
    records = list(stream(spec, lengths, seed=seed))
    run = tmp_path_factory.mktemp("run")
    write(run, spec, records, fold_rows=fold_rows)
    log = read_log(run)
    assert log.spec == spec
    assert_same(log, records)
    assert verify_log(run) == []


def test_reading_joins_arrays_and_journal_and_leaves_the_unfinished_episode_out(tmp_path, spec, stream):
    records = list(stream(spec, [3, 4, 2, 5]))
    with LogWriter.create(tmp_path, spec, fold_rows=6) as writer:
        for record in records[:-1]:
            writer.append(record)
        writer.flush()
        assert (writer.rows, writer.acknowledged, writer.episodes) == (13, 13, 3)
        assert_same(read_log(tmp_path), records[:9])
        info = log_info(tmp_path)
        assert (info.episodes, info.rows, info.unfinished_rows) == (3, 9, 4)
        assert info.size > 0
        writer.append(records[-1])
    assert_same(read_log(tmp_path), records)
    assert log_info(tmp_path).folded_rows == 14
    assert list((tmp_path / "journal").iterdir()) == []
    assert [read_log(tmp_path).episode(i) for i in (0, 3)] == [slice(0, 3), slice(9, 14)]


def test_the_arrays_are_what_zarr_2_loaders_expect(tmp_path, spec, stream):
    write(tmp_path, spec, stream(spec, [3, 4]))
    root = zarr.open(str(tmp_path / "log.zarr"), mode="r")
    assert root["meta"]["episode_ends"][:].tolist() == [3, 7]
    assert root["meta"]["next.observation.state"].shape == (2, 5)
    assert {array.shape[0] for _, array in root["data"].arrays()} == {7}
    assert len(list(root["data"].arrays())) == 18
    metadata = json.loads((tmp_path / "log.zarr/data/action/.zarray").read_text())
    assert (metadata["zarr_format"], metadata["chunks"]) == (2, [1024, 3])


def test_a_log_longer_than_a_chunk_round_trips(tmp_path, spec, stream):
    records = list(stream(spec, [700, 800, 900]))
    write(tmp_path, spec, records)
    assert_same(read_log(tmp_path), records)


def test_a_reader_sees_whole_episodes_while_the_log_is_written(tmp_path, spec, stream):
    stop, seen = threading.Event(), []

    def read():
        while not stop.is_set():
            seen.append(read_log(tmp_path))

    with LogWriter.create(tmp_path, spec, fold_rows=4) as writer:
        reader = threading.Thread(target=read)
        reader.start()
        for record in stream(spec, [3] * 12):
            writer.append(record)
            writer.flush()
    stop.set()
    reader.join()
    assert len(seen) > 3
    for log in seen:
        assert log.log_prob.tolist() == list(range(3 * log.episodes))


def test_a_fold_between_two_reads_hides_nothing(tmp_path, spec, stream, monkeypatch):
    records = list(stream(spec, [3, 4]))
    writer = LogWriter.create(tmp_path, spec)
    for record in records:
        writer.append(record)
    writer.flush()

    def then_fold(read):
        def call(*args, **options):
            result = read(*args, **options)
            writer.close()
            return result

        return call

    for name in ("read_segments", "ZarrLog"):
        monkeypatch.setattr(log_module, name, then_fold(getattr(log_module, name)))
    assert_same(read_log(tmp_path), records)


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


@pytest.mark.parametrize("verb", [read_log, log_info, verify_log, repair_log])
def test_a_foreign_folder_is_named(tmp_path, verb):
    refused(lambda: verb(tmp_path / "absent"), tmp_path / "absent", "holds no log.zarr")
    zarr.open_group(str(tmp_path / "log.zarr"), mode="w", zarr_format=2)
    refused(lambda: verb(tmp_path), tmp_path, "not a replay log")


@pytest.mark.parametrize("verb", [read_log, log_info, verify_log, repair_log])
def test_another_format_version_is_named(tmp_path, spec, stream, verb):
    write(tmp_path, spec, stream(spec, [2]))
    attributes = tmp_path / "log.zarr" / ".zattrs"
    attributes.write_text(attributes.read_text().replace('"format_version": 1', '"format_version": 7'))
    refused(lambda: verb(tmp_path), tmp_path, "version 7", "version 1")


@pytest.mark.parametrize("name", [".zgroup", ".zattrs", "data/action/.zarray"])
def test_cut_metadata_is_named(tmp_path, spec, stream, name):
    write(tmp_path, spec, stream(spec, [2]))
    file = tmp_path / "log.zarr" / name
    whole = file.read_bytes()
    for kept in range(0, len(whole) - 3, 11):
        file.write_bytes(whole[:kept])
        refused(lambda: read_log(tmp_path), tmp_path / "log.zarr")
    file.unlink()
    refused(lambda: read_log(tmp_path), tmp_path / "log.zarr")


def test_a_cut_chunk_is_named(tmp_path, spec, stream):
    write(tmp_path, spec, stream(spec, [200]))
    chunk = tmp_path / "log.zarr/data/action/0.0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    refused(lambda: read_log(tmp_path), "data/action")
    assert len(verify_log(tmp_path)) == 1


@pytest.mark.parametrize(("name", "key"), [("observation", "observation.state"), ("action", "action")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_training_refuses_what_is_not_finite_and_verify_reports_it(tmp_path, spec, stream, name, key, value):
    records = list(stream(spec, [3, 4]))
    bad = getattr(records[5], name).copy()
    bad[1] = value
    records[5] = dataclasses.replace(records[5], **{name: bad})
    write(tmp_path, spec, records)
    refused(lambda: require_trainable(read_log(tmp_path)), tmp_path, key, "episode 1, step 2")
    assert any(f"data/{key}: not finite" in line for line in verify_log(tmp_path))


@pytest.mark.parametrize("value", [1.001, -7.0])
def test_training_refuses_actions_beyond_their_range(tmp_path, spec, stream, value):
    records = list(stream(spec, [3, 4]))
    for row in (4, 6):
        action = records[row].action.copy()
        action[0] = value
        records[row] = dataclasses.replace(records[row], action=action)
    write(tmp_path, spec, records)
    problem = "data/action: outside [-1, 1] in 2 rows, first in episode 1, step 1"
    refused(lambda: require_trainable(read_log(tmp_path)), tmp_path, problem)
    assert verify_log(tmp_path) == [problem]


def test_training_accepts_a_finite_log_within_range(tmp_path, spec, stream):
    records = list(stream(spec, [3]))
    ends = np.resize([-1.0, 1.0], records[0].action.shape)
    write(tmp_path, spec, [dataclasses.replace(records[0], action=ends), *records[1:]])
    require_trainable(read_log(tmp_path))


@pytest.mark.parametrize(
    ("path", "row", "value"),
    [
        ("data/action", 1, 1.5),
        ("data/frame_index", 3, 9),
        ("data/episode_index", 0, 4),
        ("data/next.truncated", 1, True),
        ("meta/episode_ends", 0, 7),
    ],
)
def test_verify_names_the_array_that_is_wrong(tmp_path, spec, stream, path, row, value):
    write(tmp_path, spec, stream(spec, [3, 4]))
    zarr.open_array(str(tmp_path / "log.zarr"), path=path, mode="r+")[row] = value
    assert any(path.removeprefix("data/") in line for line in verify_log(tmp_path))


@pytest.mark.parametrize("rows", [2, 9])
def test_verify_reports_ragged_arrays(tmp_path, spec, stream, rows):
    write(tmp_path, spec, stream(spec, [3, 4]))
    zarr.open_array(str(tmp_path / "log.zarr"), path="data/next.reward", mode="r+").resize((rows,))
    (problem,) = verify_log(tmp_path)
    assert "next.reward" in problem and "7" in problem
