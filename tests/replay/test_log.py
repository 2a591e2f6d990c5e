"""A log gives back what was written, also while it is written; one that cannot be read is named."""

import json
import threading

import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from porl_robot.replay import log as log_module
from porl_robot.replay.log import log_info, read_log
from porl_robot.replay.record import LogSpec
from porl_robot.replay.repair import repair_log
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogWriter

from .logs import assert_same, refused, write


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
