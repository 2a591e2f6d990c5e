import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.errors import UserError
from porl_robot.replay.journal import (
    JournalLock,
    SegmentWriter,
    decode_header,
    decode_records,
    encode_header,
    encode_record,
    pending,
    read_segment,
    read_segments,
)
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import encode_row, row_dtype


def encode(spec, records):
    dtype = row_dtype(spec)
    return [
        encode_record(
            encode_row(record, dtype),
            b"" if record.final_observation is None else record.final_observation.tobytes(),
        )
        for record in records
    ]


def numbers(rows):
    """`make_stream` stores the row number as log_prob."""
    return rows["log_prob"].tolist()


def write_segment(directory, first_row, spec, records):
    segment = SegmentWriter(directory, first_row, spec)
    segment.append(encode(spec, records))
    segment.close()
    return segment.path


@given(st.integers(0, 2**32), st.lists(st.integers(1, 5), max_size=4))
def test_what_is_encoded_is_decoded(spec, stream, seed, lengths):
    records = list(stream(spec, lengths, seed=seed))
    data = b"".join(encode(spec, records))
    rows, finals, end = decode_records(data, 0, spec)
    assert end == len(data)
    assert rows.tobytes() == b"".join(encode_row(r, row_dtype(spec)) for r in records)
    expected = [r.final_observation for r in records if r.final_observation is not None]
    np.testing.assert_array_equal(finals, np.array(expected).reshape(-1, spec.observation_size))


@given(st.data())
def test_a_cut_at_any_byte_loses_only_the_records_it_touches(spec, stream, data):
    encoded = encode(spec, stream(spec, [3, 1, 4]))
    ends = np.cumsum([len(record) for record in encoded])
    cut = data.draw(st.integers(0, int(ends[-1])))
    rows, finals, end = decode_records(b"".join(encoded)[:cut], 0, spec)
    whole = int(np.searchsorted(ends, cut, side="right"))
    assert numbers(rows) == list(range(whole))
    assert len(finals) == np.searchsorted([3, 4, 8], whole, side="right")
    assert end == (ends[whole - 1] if whole else 0)


@given(st.data(), st.integers(1, 255))
def test_a_damaged_byte_ends_the_reading_there(spec, stream, data, flip):
    encoded = encode(spec, stream(spec, [3, 1, 4]))
    ends = np.cumsum([len(record) for record in encoded])
    at = data.draw(st.integers(0, int(ends[-1]) - 1))
    damaged = bytearray(b"".join(encoded))
    damaged[at] ^= flip
    rows, _, _ = decode_records(bytes(damaged), 0, spec)
    assert numbers(rows) == list(range(int(np.searchsorted(ends, at, side="right"))))


def test_zeros_are_no_records(spec):
    assert decode_records(bytes(4096), 0, spec)[2] == 0


def test_a_header_says_the_spec(spec):
    header = encode_header(spec)
    assert decode_header(header + b"rest") == (spec, len(header))


@given(st.data())
def test_a_cut_or_damaged_header_is_refused(spec, data):
    header = encode_header(spec)
    with pytest.raises(ValueError):
        decode_header(header[: data.draw(st.integers(0, len(header) - 1))])
    damaged = bytearray(header)
    damaged[data.draw(st.integers(0, len(header) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        decode_header(bytes(damaged))


def test_a_segment_says_how_much_of_it_is_torn(tmp_path, spec, stream):
    path = write_segment(tmp_path, 40, spec, stream(spec, [5]))
    with path.open("ab") as file:
        file.write(b"torn!")
    segment = read_segment(path)
    assert (segment.first_row, len(segment.rows), len(segment.finals)) == (40, 5, 1)
    assert (segment.spec, segment.cut_bytes) == (spec, 5)


def test_a_segment_without_header_has_no_rows(tmp_path):
    path = tmp_path / "000000000000.bin"
    path.write_bytes(b"PORLJ")
    segment = read_segment(path)
    assert (segment.spec, len(segment.rows), segment.cut_bytes) == (None, 0, 5)


def test_pending_skips_what_is_folded_and_stops_at_a_gap(tmp_path, spec, stream):
    records = list(stream(spec, [3, 2, 4, 5]))
    write_segment(tmp_path, 0, spec, records[:5])
    write_segment(tmp_path, 5, spec, records[5:9])
    write_segment(tmp_path, 11, spec, records[11:])
    segments = read_segments(tmp_path)
    for committed, expected in [(0, range(9)), (3, range(3, 9)), (5, range(5, 9)), (9, range(0))]:
        rows, finals = pending(segments, committed, spec)
        assert numbers(rows) == list(expected)
        assert len(finals) == sum(end > committed for end in (3, 5, 9))


def test_a_segment_of_another_log_is_refused(tmp_path, spec, stream):
    other = LogSpec("arm_push", 5, 3, 20.0, None, True, ())
    path = write_segment(tmp_path, 0, other, stream(other, [2]))
    with pytest.raises(UserError, match=path.name):
        pending(read_segments(tmp_path), 0, spec)


def test_other_files_are_no_segments(tmp_path, spec):
    (tmp_path / "notes.bin").write_bytes(b"x")
    (tmp_path / "000000000000.damaged").write_bytes(b"x")
    assert read_segments(tmp_path) == []


def test_the_lock_lets_one_in_at_a_time(tmp_path):
    lock = JournalLock(tmp_path)
    with pytest.raises(UserError, match="being written"):
        JournalLock(tmp_path)
    lock.release()
    lock.release()
    JournalLock(tmp_path).release()
