"""Frames whose bytes are known from the vendors' software and manuals."""

from __future__ import annotations

import pytest

from hardware.codec import dynamixel, feetech
from hardware.codec.crc import crc16
from hardware.codec.frame import Frame, Request

FEETECH_REQUESTS = [
    (feetech.ping(1), "FF FF 01 02 01 FB"),
    (feetech.read(1, 56, 2), "FF FF 01 04 02 38 02 BE"),
    (feetech.write(1, 40, b"\x01"), "FF FF 01 04 03 28 01 CE"),
    (feetech.write(1, 42, b"\x00\x08"), "FF FF 01 05 03 2A 00 08 C4"),
    (feetech.reg_write(1, 42, b"\x00\x08"), "FF FF 01 05 04 2A 00 08 C3"),
    (feetech.action(), "FF FF FE 02 05 FA"),
    (feetech.write(1, 41, bytes.fromhex("32 E8 03 00 00 DC 05")), "FF FF 01 0A 03 29 32 E8 03 00 00 DC 05 CA"),
    (feetech.sync_read(range(1, 7), 56, 2), "FF FF FE 0A 82 38 02 01 02 03 04 05 06 26"),
    (feetech.sync_write(42, {1: b"\xe8\x03", 2: b"\xb8\x0b"}), "FF FF FE 0A 83 2A 02 01 E8 03 02 B8 0B 97"),
]
FEETECH_STATUSES = [
    ((1, 0, b""), "FF FF 01 02 00 FC"),
    ((1, 0, b"\x00\x08"), "FF FF 01 04 00 00 08 F2"),
    ((6, 0x20, b""), "FF FF 06 02 20 D7"),
]
DYNAMIXEL_REQUESTS = [
    (dynamixel.ping(1), "FF FF FD 00 01 03 00 01 19 4E"),
    (dynamixel.read(1, 132, 4), "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15"),
    (dynamixel.write(1, 64, b"\x01"), "FF FF FD 00 01 06 00 03 40 00 01 DB 66"),
    (dynamixel.write(1, 116, (512).to_bytes(4, "little")), "FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89"),
    (
        dynamixel.write(1, 116, (0x00FDFFFF).to_bytes(4, "little")),
        "FF FF FD 00 01 0A 00 03 74 00 FF FF FD FD 00 21 E7",
    ),
    (dynamixel.reg_write(3, 116, (2048).to_bytes(4, "little")), "FF FF FD 00 03 09 00 04 74 00 00 08 00 00 1A 4E"),
    (dynamixel.reg_write(1, 104, (200).to_bytes(4, "little")), "FF FF FD 00 01 09 00 04 68 00 C8 00 00 00 AE 8E"),
    (dynamixel.action(), "FF FF FD 00 FE 03 00 05 2A C2"),
    (dynamixel.action(1), "FF FF FD 00 01 03 00 05 02 CE"),
    (dynamixel.reboot(1), "FF FF FD 00 01 03 00 08 2F 4E"),
    (
        dynamixel.sync_read(range(1, 7), 132, 4),
        "FF FF FD 00 FE 0D 00 82 84 00 04 00 01 02 03 04 05 06 B2 9B",
    ),
    (
        dynamixel.fast_sync_read(range(1, 7), 132, 4),
        "FF FF FD 00 FE 0D 00 8A 84 00 04 00 01 02 03 04 05 06 B1 B1",
    ),
    (
        dynamixel.sync_write(116, {1: (1000).to_bytes(4, "little"), 2: (2000).to_bytes(4, "little")}),
        "FF FF FD 00 FE 11 00 83 74 00 04 00 01 E8 03 00 00 02 D0 07 00 00 B5 6B",
    ),
    (
        dynamixel.bulk_read({1: (132, 4), 2: (146, 1)}),
        "FF FF FD 00 FE 0D 00 92 01 84 00 04 00 02 92 00 01 00 FA 7C",
    ),
]
DYNAMIXEL_STATUSES = [
    ((1, 0, b"\xb0\x04\x34"), "FF FF FD 00 01 07 00 55 00 B0 04 34 B2 D4"),
    ((1, 0, b"\xa6\x00\x00\x00"), "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0"),
    ((2, 0, b"\x1f\x08\x00\x00"), "FF FF FD 00 02 08 00 55 00 1F 08 00 00 BA BE"),
    ((1, 0, b""), "FF FF FD 00 01 04 00 55 00 A1 0C"),
]


@pytest.mark.parametrize(("request_", "known"), FEETECH_REQUESTS)
def test_feetech_request(request_: Request, known: str) -> None:
    assert feetech.encode_request(*request_) == bytes.fromhex(known)
    assert feetech.Parser().feed(bytes.fromhex(known)) == [Frame(*request_, is_status=None)]


@pytest.mark.parametrize(("status", "known"), FEETECH_STATUSES)
def test_feetech_status(status: tuple[int, int, bytes], known: str) -> None:
    assert feetech.encode_status(*status) == bytes.fromhex(known)
    assert feetech.Parser().feed(bytes.fromhex(known)) == [Frame(*status, is_status=None)]


@pytest.mark.parametrize(("request_", "known"), DYNAMIXEL_REQUESTS)
def test_dynamixel_request(request_: Request, known: str) -> None:
    assert dynamixel.encode_request(*request_) == bytes.fromhex(known)
    assert dynamixel.Parser().feed(bytes.fromhex(known)) == [Frame(*request_, is_status=False)]


@pytest.mark.parametrize(("status", "known"), DYNAMIXEL_STATUSES)
def test_dynamixel_status(status: tuple[int, int, bytes], known: str) -> None:
    assert dynamixel.encode_status(*status) == bytes.fromhex(known)
    assert dynamixel.Parser().feed(bytes.fromhex(known)) == [Frame(*status, is_status=True)]


def test_crc_check_value() -> None:
    assert crc16(b"123456789") == 0xFEE8


@pytest.mark.parametrize("codec", [feetech, dynamixel], ids=["feetech", "dynamixel"])
def test_no_such_id(codec: object) -> None:
    encode = codec.encode_request  # type: ignore[attr-defined]
    for id in (-1, 255):
        with pytest.raises(ValueError, match=f"id {id} is"):
            encode(id, 1)


def test_a_frame_holds_only_so_much() -> None:
    with pytest.raises(ValueError, match="254 bytes of parameters; a frame holds 253"):
        feetech.encode_request(1, feetech.Instruction.WRITE, bytes(254))
    with pytest.raises(ValueError, match="a frame of 1025 bytes; the longest has 1024"):
        dynamixel.encode_request(1, dynamixel.Instruction.WRITE, bytes(1015))


def test_a_sync_write_needs_one_length() -> None:
    for codec in (feetech, dynamixel):
        with pytest.raises(ValueError, match=r"one length, got \[1, 2\]"):
            codec.sync_write(42, {1: b"a", 2: b"bc"})


def test_a_status_cut_short_by_another() -> None:
    second = feetech.encode_status(6, 0, bytes(27))
    for cut in range(4, 12):
        spliced = Frame(2, 0, bytes(cut) + second[:20], is_status=None)
        assert feetech.is_spliced(spliced, {15, 27})
        assert not feetech.is_spliced(spliced, {15, 16})
    assert feetech.is_spliced(Frame(2, 0, bytes(30) + second[:3], is_status=None), {27})
    assert feetech.is_spliced(Frame(2, 0xFF, second[1:20], is_status=None), {27})
    only_the_header = bytes((0xFB, 0xFF))  # with 2, 4 and 0 the sum is 0xFF
    assert feetech.encode_status(2, 0, only_the_header)[-2:] == second[:2]
    assert feetech.is_spliced(Frame(2, 0, only_the_header, is_status=None), {2})
    assert not feetech.is_spliced(Frame(2, 0, bytes((0xFA, 0xFF)), is_status=None), {2})


def test_a_dynamixel_status_cut_short_by_another() -> None:
    for second, counts in (
        (dynamixel.encode_status(6, 0, bytes(27)), {15, 27}),
        (dynamixel.encode_fast_status([(6, 0, bytes(27))]), {15}),
    ):
        for cut in range(12):
            spliced = Frame(2, 0, bytes(cut) + second[:20], is_status=True)
            assert dynamixel.is_spliced(spliced, counts)
        assert dynamixel.is_spliced(Frame(2, 0, bytes(30) + second[:4], is_status=True), counts)
    plain = Frame(2, 0, dynamixel.encode_status(6, 0, bytes(27)), is_status=True)
    assert not dynamixel.is_spliced(plain, {15, 16})
    velocity_and_position = bytes.fromhex("FF FF FD 00 00 00 00 08 00 00 78 00 1E")
    assert not dynamixel.is_spliced(Frame(2, 0, velocity_and_position, is_status=True), {23})
