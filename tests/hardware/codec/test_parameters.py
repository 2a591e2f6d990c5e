"""What a request says comes out as it went in, and nothing else passes for one."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.codec import dynamixel, feetech

CALM = settings(deadline=None)
CODECS = pytest.mark.parametrize("codec", [feetech, dynamixel], ids=["feetech", "dynamixel"])
ids = st.integers(0, 252)
numbers = st.integers(0, 255)
data = st.binary(min_size=1, max_size=20)


@CODECS
@CALM
@given(ids, numbers, numbers)
def test_read(codec: ModuleType, id: int, address: int, count: int) -> None:
    assert codec.split_read(codec.read(id, address, count).parameters) == (address, count)


@CODECS
@CALM
@given(ids, numbers, data)
def test_write(codec: ModuleType, id: int, address: int, written: bytes) -> None:
    for request in (codec.write(id, address, written), codec.reg_write(id, address, written)):
        assert codec.split_write(request.parameters) == (address, written)


@CODECS
@CALM
@given(st.lists(ids, min_size=1, max_size=10, unique=True), numbers, numbers)
def test_sync_read(codec: ModuleType, wanted: list[int], address: int, count: int) -> None:
    request = codec.sync_read(wanted, address, count)
    assert codec.split_sync_read(request.parameters) == (address, count, tuple(wanted))


@CODECS
@CALM
@given(st.lists(ids, min_size=1, max_size=10, unique=True), numbers, st.integers(1, 8))
def test_sync_write(codec: ModuleType, wanted: list[int], address: int, size: int) -> None:
    written = {id: bytes((id,)) * size for id in wanted}
    request = codec.sync_write(address, written)
    assert codec.split_sync_write(request.parameters) == (address, written)


@CALM
@given(st.dictionaries(ids, st.tuples(st.integers(0, 700), st.integers(1, 40)), min_size=1, max_size=8))
def test_bulk_read(blocks: dict[int, tuple[int, int]]) -> None:
    assert dynamixel.split_bulk_read(dynamixel.bulk_read(blocks).parameters) == blocks


@CALM
@given(st.dictionaries(ids, st.tuples(st.integers(0, 700), data), min_size=1, max_size=8))
def test_bulk_write(blocks: dict[int, tuple[int, bytes]]) -> None:
    assert dynamixel.split_bulk_write(dynamixel.bulk_write(blocks).parameters) == blocks


@CODECS
@pytest.mark.parametrize("kind", ["read", "write", "sync_read", "sync_write"])
def test_parameters_that_are_cut_are_refused(codec: ModuleType, kind: str) -> None:
    for parameters in (b"", b"\x01"):
        with pytest.raises(ValueError, match=f"a {kind.replace('_', ' ')} has"):
            getattr(codec, f"split_{kind}")(parameters)


def test_a_sync_write_of_unequal_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="as many bytes for each id"):
        feetech.split_sync_write(bytes((42, 2, 1, 0, 0, 2, 0)))
    with pytest.raises(ValueError, match="as many bytes for each id"):
        dynamixel.split_sync_write(bytes((116, 0, 2, 0, 1, 0, 0, 2, 0)))


def test_bulk_parameters_that_are_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="5 bytes for each id"):
        dynamixel.split_bulk_read(bytes(4))
    with pytest.raises(ValueError, match="as many bytes for each servo"):
        dynamixel.split_bulk_write(bytes((1, 116, 0, 4, 0, 1, 2)))
