"""Our bytes are the vendors' own: their software sends and reads through a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Iterator

import dynamixel_sdk
import pytest
import scservo_sdk

from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Request


class Line:
    """A pseudo-terminal with a vendor's port handler at its far end."""

    def __init__(self, port_type: type) -> None:
        self.near, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = port_type(os.ttyname(self._slave))
        assert self.port.openPort()

    def sent(self) -> bytes:
        self.port.is_using = False
        return os.read(self.near, 1024)

    def close(self) -> None:
        self.port.closePort()
        os.close(self.near)
        os.close(self._slave)


@pytest.fixture
def feetech_line() -> Iterator[Line]:
    line = Line(scservo_sdk.PortHandler)
    yield line
    line.close()


@pytest.fixture
def dynamixel_line() -> Iterator[Line]:
    line = Line(dynamixel_sdk.PortHandler)
    yield line
    line.close()


def test_feetech_requests(feetech_line: Line) -> None:
    sdk, port = scservo_sdk.PacketHandler(0), feetech_line.port

    def same(request: Request) -> None:
        assert feetech_line.sent() == feetech.encode_request(*request)

    sdk.txPacket(port, [0, 0, 7, 2, scservo_sdk.INST_PING, 0])
    same(feetech.ping(7))
    sdk.readTx(port, 3, 56, 15)
    same(feetech.read(3, 56, 15))
    sdk.write2ByteTxOnly(port, 4, 42, 2048)
    same(feetech.write(4, 42, b"\x00\x08"))
    sdk.regWriteTxOnly(port, 4, 42, 2, [0, 8])
    same(feetech.reg_write(4, 42, b"\x00\x08"))
    sdk.action(port, scservo_sdk.BROADCAST_ID)
    same(feetech.action())
    sdk.syncReadTx(port, 56, 15, [1, 2, 6], 3)
    same(feetech.sync_read([1, 2, 6], 56, 15))
    sdk.syncWriteTxOnly(port, 42, 2, [1, 232, 3, 2, 255, 255], 6)
    same(feetech.sync_write(42, {1: b"\xe8\x03", 2: b"\xff\xff"}))


def test_feetech_statuses(feetech_line: Line) -> None:
    sdk = scservo_sdk.PacketHandler(0)
    sdk.readTx(feetech_line.port, 3, 56, 4)
    feetech_line.sent()
    os.write(feetech_line.near, feetech.encode_status(3, 0x20, b"\xff\xff\x01\x80"))
    feetech_line.port.setPacketTimeout(10)
    assert sdk.readRx(feetech_line.port, 3, 4) == ([0xFF, 0xFF, 0x01, 0x80], scservo_sdk.COMM_SUCCESS, 0x20)


def test_dynamixel_requests(dynamixel_line: Line) -> None:
    sdk, port = dynamixel_sdk.PacketHandler(2.0), dynamixel_line.port

    def same(request: Request) -> None:
        assert dynamixel_line.sent() == dynamixel.encode_request(*request)

    sdk.txPacket(port, [0, 0, 0, 0, 7, 3, 0, dynamixel_sdk.INST_PING, 0, 0])
    same(dynamixel.ping(7))
    sdk.txPacket(port, [0, 0, 0, 0, 7, 3, 0, dynamixel_sdk.INST_REBOOT, 0, 0])
    same(dynamixel.reboot(7))
    sdk.readTx(port, 3, 126, 21)
    same(dynamixel.read(3, 126, 21))
    sdk.write4ByteTxOnly(port, 4, 116, 2048)
    same(dynamixel.write(4, 116, (2048).to_bytes(4, "little")))
    sdk.regWriteTxOnly(port, 4, 116, 4, [0, 8, 0, 0])
    same(dynamixel.reg_write(4, 116, (2048).to_bytes(4, "little")))
    sdk.action(port, dynamixel_sdk.BROADCAST_ID)
    same(dynamixel.action())
    sdk.syncReadTx(port, 126, 21, [1, 2, 6], 3, False)
    same(dynamixel.sync_read([1, 2, 6], 126, 21))
    sdk.syncReadTx(port, 126, 21, [1, 2, 6], 3, True)
    same(dynamixel.fast_sync_read([1, 2, 6], 126, 21))
    sdk.syncWriteTxOnly(port, 64, 1, [1, 1, 2, 0], 4)
    same(dynamixel.sync_write(64, {1: b"\x01", 2: b"\x00"}))
    sdk.bulkReadTx(port, [1, 132, 0, 4, 0, 2, 146, 0, 1, 0], 10, False)
    same(dynamixel.bulk_read({1: (132, 4), 2: (146, 1)}))
    sdk.bulkWriteTxOnly(port, [1, 116, 0, 2, 0, 9, 8, 2, 64, 0, 1, 0, 1], 13)
    same(dynamixel.bulk_write({1: (116, b"\x09\x08"), 2: (64, b"\x01")}))


def test_dynamixel_statuses(dynamixel_line: Line) -> None:
    sdk = dynamixel_sdk.PacketHandler(2.0)
    sdk.readTx(dynamixel_line.port, 3, 126, 6)
    dynamixel_line.sent()
    stuffed = bytes.fromhex("FF FF FD FF FF FF")
    os.write(dynamixel_line.near, dynamixel.encode_status(3, 0x80, stuffed))
    dynamixel_line.port.setPacketTimeout(20)
    assert sdk.readRx(dynamixel_line.port, 3, 6) == (list(stuffed), dynamixel_sdk.COMM_SUCCESS, 0x80)


def test_dynamixel_fast_sync_read(dynamixel_line: Line) -> None:
    sdk = dynamixel_sdk.PacketHandler(2.0)
    group = dynamixel_sdk.GroupSyncRead(dynamixel_line.port, sdk, 132, 4)
    assert group.addParam(1) and group.addParam(2)
    group.fastSyncReadTxPacket()
    dynamixel_line.sent()
    reply = dynamixel.encode_fast_status([(1, 0, b"\xa6\x00\x00\x00"), (2, 0, b"\x1f\x08\x00\x00")])
    os.write(dynamixel_line.near, reply)
    dynamixel_line.port.setPacketTimeout(len(reply))
    assert group.fastSyncReadRxPacket() == dynamixel_sdk.COMM_SUCCESS
    assert (group.getData(1, 132, 4), group.getData(2, 132, 4)) == (166, 2079)


def test_a_request_that_the_sdk_forgets_to_stuff_is_understood(dynamixel_line: Line) -> None:
    sdk = dynamixel_sdk.PacketHandler(2.0)
    sdk.write4ByteTxOnly(dynamixel_line.port, 1, 116, -131073 & 0xFFFFFFFF)
    (frame,) = dynamixel.Parser().feed(dynamixel_line.sent())
    assert dynamixel.split_write(frame.parameters) == (116, (-131073).to_bytes(4, "little", signed=True))
