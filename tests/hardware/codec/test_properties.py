"""What holds for any frame, cut anywhere, with anything around it, damaged anywhere."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Frame

CALM = settings(deadline=None)
CODECS = pytest.mark.parametrize("codec", [feetech, dynamixel], ids=["feetech", "dynamixel"])

# Bytes that make headers and stuffing likely.
nasty = st.lists(st.sampled_from([0xFF, 0xFF, 0xFD, 0x00, 0x55, 0x01]), max_size=40).map(bytes)
payloads = st.one_of(st.binary(max_size=40), nasty)
ids = st.integers(0, 252)
statuses = st.tuples(ids, st.integers(0, 255), payloads)


def encoded(codec: ModuleType, status: tuple[int, int, bytes]) -> bytes:
    data: bytes = codec.encode_status(*status)
    return data


def found(codec: ModuleType, *pieces: bytes) -> list[tuple[int, int, bytes]]:
    parser = codec.Parser()
    frames: list[Frame] = [frame for piece in pieces for frame in parser.feed(piece)]
    return [(frame.id, frame.code, frame.parameters) for frame in frames + parser.end()]


@CODECS
@CALM
@given(st.lists(statuses, max_size=4), st.data())
def test_any_split_of_the_stream(codec: ModuleType, sent: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encoded(codec, status) for status in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert found(codec, *pieces) == sent


@CODECS
@CALM
@given(st.lists(statuses, max_size=3))
def test_one_byte_at_a_time(codec: ModuleType, sent: list[tuple[int, int, bytes]]) -> None:
    stream = b"".join(encoded(codec, status) for status in sent)
    assert found(codec, *(bytes((byte,)) for byte in stream)) == sent


@CODECS
@CALM
@given(st.binary(max_size=40).map(lambda noise: noise.replace(b"\xff", b"")), statuses)
def test_noise_in_front(codec: ModuleType, noise: bytes, sent: tuple[int, int, bytes]) -> None:
    parser = codec.Parser()
    frames = parser.feed(noise + encoded(codec, sent))
    assert [(frame.id, frame.code, frame.parameters) for frame in frames] == [sent]
    assert parser.skipped == len(noise) and parser.pending == 0


@CODECS
@CALM
@given(nasty, statuses)
def test_behind_noise_like_headers_something_is_found(
    codec: ModuleType, noise: bytes, sent: tuple[int, int, bytes]
) -> None:
    # The checksum may pass by chance over the noise and the beginning of the frame.
    frames = found(codec, noise + encoded(codec, sent))
    assert sent in frames or len(frames) == 1


@CODECS
@CALM
@given(statuses, statuses, st.data())
def test_the_frame_behind_a_cut_one_is_found(
    codec: ModuleType, first: tuple[int, int, bytes], second: tuple[int, int, bytes], data: st.DataObject
) -> None:
    whole = encoded(codec, first)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    frames = found(codec, cut + encoded(codec, second))
    # The checksum may pass by chance over the cut frame and the beginning of the second.
    assert second in frames or len(frames) == 1


@CODECS
@CALM
@given(statuses)
def test_every_flipped_bit_is_noticed(codec: ModuleType, sent: tuple[int, int, bytes]) -> None:
    stream = encoded(codec, sent)
    for bit in range(8 * len(stream)):
        flipped = bytearray(stream)
        flipped[bit // 8] ^= 1 << bit % 8
        alike = [each for each in found(codec, bytes(flipped)) if (each[0], len(each[2])) == (sent[0], len(sent[2]))]
        assert alike == []


@CODECS
def test_a_damaged_frame_is_counted(codec: ModuleType) -> None:
    stream = bytearray(encoded(codec, (1, 0, b"abcd")))
    stream[-4] ^= 1
    parser = codec.Parser()
    assert parser.feed(bytes(stream)) == []
    assert parser.checksum_errors == 1 and parser.skipped == len(stream)


@CODECS
def test_a_length_beyond_what_may_come_holds_nothing_up(codec: ModuleType) -> None:
    whole = encoded(codec, (1, 0, b"abcd"))
    length_at = 3 if codec is feetech else 5
    damaged = bytearray(whole)
    damaged[length_at] ^= 0x80
    assert codec.Parser().feed(bytes(damaged) + whole) == []
    assert len(codec.Parser(longest=len(whole)).feed(bytes(damaged) + whole)) == 1


@CALM
@given(st.integers(0, 252), st.integers(1, 255).filter(lambda code: code != 0x55), payloads)
def test_a_stuffed_request_comes_back(id: int, instruction: int, parameters: bytes) -> None:
    stream = dynamixel.encode_request(id, instruction, parameters)
    assert b"\xff\xff\xfd\x00" not in stream[4:-2]
    assert dynamixel.Parser().feed(stream) == [Frame(id, instruction, parameters, is_status=False)]


@CALM
@given(
    st.lists(st.tuples(ids, st.integers(0, 255), st.one_of(st.binary(min_size=8, max_size=8))), min_size=1, max_size=6)
)
def test_a_fast_status_comes_back_whatever_its_data(parts: list[tuple[int, int, bytes]]) -> None:
    (frame,) = dynamixel.Parser().feed(dynamixel.encode_fast_status(parts))
    assert frame.id == dynamixel.BROADCAST and frame.is_status
    back = dynamixel.split_fast_status(frame, 8)
    assert [(each.id, each.code, each.parameters) for each in back] == parts


def test_a_fast_status_that_needs_stuffing_is_left_alone() -> None:
    data = bytes.fromhex("FF FF FD FD FF FF 00 00")
    (frame,) = dynamixel.Parser().feed(dynamixel.encode_fast_status([(1, 0, data)]))
    assert dynamixel.split_fast_status(frame, 8)[0].parameters == data
    with pytest.raises(ValueError, match="no parts of 11"):
        dynamixel.split_fast_status(frame, 7)
