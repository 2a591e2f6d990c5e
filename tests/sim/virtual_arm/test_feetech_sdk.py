"""The maker's own software (feetech-servo-sdk) as client of the virtual arm."""

from __future__ import annotations

import time

import pytest
import scservo_sdk as sdk

from sim.virtual_arm.launch import LaunchedArm

from .sdk_port import opened

IDS = range(1, 7)
OK = (sdk.COMM_SUCCESS, 0)
MODEL, FIRMWARE, OFFSET, MODE, TORQUE, ACCELERATION, GOAL, GOAL_TIME, LOCK = 3, 0, 31, 33, 40, 41, 42, 44, 55
POSITION, VOLTAGE, MAX_ACCELERATION = 56, 62, 85


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    with LaunchedArm(tmp_path_factory.mktemp("arm") / "port") as launched:
        yield launched


@pytest.fixture
def port(arm):
    made = opened(sdk, arm)
    yield made
    made.closePort()


@pytest.fixture
def bus():
    return sdk.PacketHandler(0)


def signed(word, bit):
    return sdk.SCS_TOHOST(word, bit)


def test_ping_tells_the_model(bus, port):
    assert [bus.ping(port, id) for id in IDS] == [(777, *OK)] * 6
    assert bus.ping(port, 7)[1] == sdk.COMM_RX_TIMEOUT


def test_read_and_write_one_two_and_four_bytes(bus, port):
    assert bus.read2ByteTxRx(port, 1, FIRMWARE) == (3 | 10 << 8, *OK)
    assert bus.write1ByteTxRx(port, 1, ACCELERATION, 50) == OK
    assert bus.read1ByteTxRx(port, 1, ACCELERATION) == (50, *OK)
    assert bus.write2ByteTxRx(port, 1, GOAL, 2100) == OK
    assert bus.read2ByteTxRx(port, 1, GOAL) == (2100, *OK)
    assert bus.write4ByteTxRx(port, 1, GOAL, 2200 | 77 << 16) == OK
    assert bus.read4ByteTxRx(port, 1, GOAL) == (2200 | 77 << 16, *OK)
    assert bus.write1ByteTxRx(port, 1, MAX_ACCELERATION, 254) == OK
    assert bus.read1ByteTxRx(port, 1, VOLTAGE)[0] in range(115, 121)
    assert bus.writeTxRx(port, 1, ACCELERATION, 1, [0]) == OK


def test_reg_write_waits_for_action(bus, port):
    before = bus.read2ByteTxRx(port, 2, GOAL)[0]
    assert bus.regWriteTxRx(port, 2, GOAL, 2, [0xD2, 0x07]) == OK
    assert bus.read2ByteTxRx(port, 2, GOAL)[0] == before
    bus.action(port, sdk.BROADCAST_ID)
    assert bus.read2ByteTxRx(port, 2, GOAL)[0] == 2002


def test_sync_read_and_sync_write(bus, port):
    reader = sdk.GroupSyncRead(port, bus, POSITION, 15)
    writer = sdk.GroupSyncWrite(port, bus, GOAL, 2)
    for id in IDS:
        assert reader.addParam(id)
        assert writer.addParam(id, [0x00 + id, 0x08])
    assert writer.txPacket() == sdk.COMM_SUCCESS
    assert reader.txRxPacket() == sdk.COMM_SUCCESS
    for id in IDS:
        assert reader.isAvailable(id, POSITION, 15)
        assert reader.getData(id, POSITION, 2) == pytest.approx(bus.read2ByteTxRx(port, id, POSITION)[0], abs=3)
        assert bus.read2ByteTxRx(port, id, GOAL)[0] == 2048 + id


def test_half_turn_calibration_as_lerobot_does_it(bus, port):
    """Offset 0, then the middle pose becomes 2047; read back, and the servo keeps it without power."""
    for id in IDS:
        assert bus.write1ByteTxRx(port, id, TORQUE, 0) == OK
        assert bus.write1ByteTxRx(port, id, LOCK, 0) == OK
        assert bus.write1ByteTxRx(port, id, MODE, 0) == OK
        assert bus.write2ByteTxRx(port, id, OFFSET, 0) == OK
        offset = bus.read2ByteTxRx(port, id, POSITION)[0] - 2047
        assert bus.write2ByteTxRx(port, id, OFFSET, sdk.SCS_TOSCS(offset, 11)) == OK
        assert signed(bus.read2ByteTxRx(port, id, OFFSET)[0], 11) == offset
        assert bus.read2ByteTxRx(port, id, POSITION)[0] == 2047


def test_128_centres_a_servo(bus, port):
    assert bus.write1ByteTxRx(port, 4, TORQUE, 128) == OK
    assert bus.read2ByteTxRx(port, 4, POSITION)[0] == 2048


def test_the_error_byte_tells_of_an_overload(arm, bus, port):
    bus.write1ByteTxRx(port, 3, 35, 5)
    bus.write1ByteTxRx(port, 3, TORQUE, 1)
    arm.tell("overload ids=3 for=0.5")
    time.sleep(0.3)
    assert bus.read1ByteTxRx(port, 3, VOLTAGE)[1:] == (sdk.COMM_SUCCESS, 0x20)
    assert bus.read1ByteTxRx(port, 3, 65)[0] == 0x20
    time.sleep(0.5)
    bus.write1ByteTxRx(port, 3, TORQUE, 0)
    assert bus.read1ByteTxRx(port, 3, VOLTAGE)[1:] == OK


def test_an_arm_under_torque_goes_where_it_is_sent(bus, tmp_path):
    with LaunchedArm(tmp_path / "port") as arm:
        port = opened(sdk, arm)
        starts = [bus.read2ByteTxRx(port, id, POSITION)[0] for id in IDS]
        for id, start in zip(IDS, starts, strict=True):
            bus.write2ByteTxRx(port, id, GOAL, start)
            assert bus.write1ByteTxRx(port, id, TORQUE, 1) == OK
            assert bus.write2ByteTxRx(port, id, GOAL, start + 150) == OK
        time.sleep(1.0)
        for id, start in zip(IDS, starts, strict=True):
            assert bus.read2ByteTxRx(port, id, POSITION)[0] == pytest.approx(start + 150, abs=40)
        for id in IDS:
            assert bus.write1ByteTxRx(port, id, TORQUE, 0) == OK
        port.closePort()
