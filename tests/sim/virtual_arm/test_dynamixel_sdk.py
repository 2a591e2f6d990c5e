"""The maker's own software (dynamixel-sdk) as client of the virtual arm."""

from __future__ import annotations

import time

import dynamixel_sdk as sdk
import pytest

from sim.virtual_arm.launch import LaunchedArm

from .sdk_port import opened

IDS = range(1, 7)
OK = (sdk.COMM_SUCCESS, 0)
RETURN_DELAY, OFFSET, TORQUE, LED, STATUS, P_GAIN, WATCHDOG, GOAL = 9, 20, 64, 65, 70, 84, 98, 116
CURRENT, POSITION, VOLTAGE, TEMPERATURE = 126, 132, 144, 146


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    with LaunchedArm(tmp_path_factory.mktemp("arm") / "port", protocol="dynamixel") as launched:
        yield launched


@pytest.fixture
def port(arm):
    made = opened(sdk, arm)
    yield made
    made.closePort()


@pytest.fixture
def bus():
    return sdk.PacketHandler(2.0)


def four(value):
    return list((value % 2**32).to_bytes(4, "little"))


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def test_ping_tells_the_model(bus, port):
    assert [bus.ping(port, id) for id in IDS] == [(1200, *OK)] * 6
    assert bus.ping(port, 7)[1] == sdk.COMM_RX_TIMEOUT
    found, result = bus.broadcastPing(port)
    assert (result, found) == (sdk.COMM_SUCCESS, {id: [1200, 52] for id in IDS})


def test_read_and_write_one_two_and_four_bytes(bus, port):
    assert bus.write1ByteTxRx(port, 1, LED, 1) == OK
    assert bus.read1ByteTxRx(port, 1, LED) == (1, *OK)
    assert bus.write2ByteTxRx(port, 1, P_GAIN, 1400) == OK
    assert bus.read2ByteTxRx(port, 1, P_GAIN) == (1400, *OK)
    assert bus.write2ByteTxRx(port, 1, P_GAIN, 1500) == OK
    assert bus.write4ByteTxRx(port, 1, GOAL, 2100) == OK
    assert bus.read4ByteTxRx(port, 1, GOAL) == (2100, *OK)
    assert bus.read2ByteTxRx(port, 1, VOLTAGE)[0] in range(45, 51)


def test_access_rules_answer_with_their_errors(bus, port):
    assert bus.write1ByteTxRx(port, 1, TEMPERATURE, 1) == (sdk.COMM_SUCCESS, sdk.ERRNUM_ACCESS)
    assert bus.write1ByteTxRx(port, 1, LED, 2) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_RANGE)
    assert bus.write4ByteTxRx(port, 1, GOAL, 4095) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_LIMIT)
    assert bus.write1ByteTxRx(port, 1, GOAL, 1) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_LENGTH)
    assert bus.write1ByteTxRx(port, 1, TORQUE, 1) == OK
    assert bus.write1ByteTxRx(port, 1, RETURN_DELAY, 5) == (sdk.COMM_SUCCESS, sdk.ERRNUM_ACCESS)
    assert bus.write1ByteTxRx(port, 1, TORQUE, 0) == OK
    assert bus.write1ByteTxRx(port, 1, RETURN_DELAY, 0) == OK


def test_reg_write_waits_for_action(bus, port):
    before = bus.read4ByteTxRx(port, 2, GOAL)[0]
    assert bus.regWriteTxRx(port, 2, GOAL, 4, four(2002)) == OK
    assert bus.read4ByteTxRx(port, 2, GOAL)[0] == before
    assert bus.action(port, sdk.BROADCAST_ID) == sdk.COMM_SUCCESS
    assert bus.read4ByteTxRx(port, 2, GOAL)[0] == 2002


@pytest.mark.parametrize("read", ["txRxPacket", "fastSyncRead"])
def test_sync_read_and_sync_write(bus, port, read):
    reader = sdk.GroupSyncRead(port, bus, CURRENT, 10)
    writer = sdk.GroupSyncWrite(port, bus, GOAL, 4)
    for id in IDS:
        assert reader.addParam(id)
        assert writer.addParam(id, four(2048 + id))
    assert writer.txPacket() == sdk.COMM_SUCCESS
    assert getattr(reader, read)() == sdk.COMM_SUCCESS
    for id in IDS:
        assert reader.getData(id, POSITION, 4) == pytest.approx(bus.read4ByteTxRx(port, id, POSITION)[0], abs=3)
        assert abs(signed(reader.getData(id, CURRENT, 2), 16)) < 5
        assert bus.read4ByteTxRx(port, id, GOAL)[0] == 2048 + id


@pytest.mark.parametrize("read", ["txRxPacket", "fastBulkRead"])
def test_bulk_read_and_bulk_write(bus, port, read):
    writer = sdk.GroupBulkWrite(port, bus)
    assert writer.addParam(1, GOAL, 4, four(2100)) and writer.addParam(2, LED, 1, [1])
    assert writer.txPacket() == sdk.COMM_SUCCESS
    reader = sdk.GroupBulkRead(port, bus)
    assert reader.addParam(1, GOAL, 4) and reader.addParam(2, LED, 1) and reader.addParam(3, VOLTAGE, 2)
    assert getattr(reader, read)() == sdk.COMM_SUCCESS
    assert (reader.getData(1, GOAL, 4), reader.getData(2, LED, 1)) == (2100, 1)
    assert reader.getData(3, VOLTAGE, 2) in range(45, 51)


def test_replies_are_stuffed(bus, port):
    # FF FF FD across two registers: current -1 would do, an indirect block does it at will.
    for slot, value in enumerate((0xFF, 0xFF, 0xFD, 0x00)):
        assert bus.write1ByteTxRx(port, 6, 208 + slot, value) == OK
    assert bus.readTxRx(port, 6, 208, 4) == ([0xFF, 0xFF, 0xFD, 0x00], *OK)


def test_the_watchdog_stops_an_arm_whose_client_is_gone(bus, port):
    assert bus.write1ByteTxRx(port, 1, TORQUE, 1) == OK
    assert bus.write1ByteTxRx(port, 1, WATCHDOG, 5) == OK
    time.sleep(0.25)
    assert bus.read1ByteTxRx(port, 1, WATCHDOG)[0] == 255
    assert bus.write4ByteTxRx(port, 1, GOAL, 2048) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_RANGE)
    assert bus.write1ByteTxRx(port, 1, WATCHDOG, 0) == OK
    assert bus.write4ByteTxRx(port, 1, GOAL, 2048) == OK


def test_a_shutdown_lasts_until_the_reboot(arm, bus, port):
    assert bus.write1ByteTxRx(port, 3, TORQUE, 1) == OK
    arm.tell("overload ids=3 for=1.3")
    time.sleep(1.5)
    assert bus.read1ByteTxRx(port, 3, STATUS) == (0x20, sdk.COMM_SUCCESS, 0x80)
    assert bus.write1ByteTxRx(port, 3, TORQUE, 1)[0] == sdk.COMM_SUCCESS
    assert bus.read1ByteTxRx(port, 3, TORQUE)[0] == 0
    assert bus.reboot(port, 3)[0] == sdk.COMM_SUCCESS
    time.sleep(0.2)
    assert bus.read1ByteTxRx(port, 3, STATUS) == (0, *OK)


def test_half_turn_calibration_as_lerobot_does_it(bus, port):
    """Offset 0, then the middle pose becomes 2047; within what mode 3 takes."""
    for id in IDS:
        assert bus.write1ByteTxRx(port, id, TORQUE, 0) == OK
        assert bus.write4ByteTxRx(port, id, OFFSET, 0) == OK
        offset = 2047 - signed(bus.read4ByteTxRx(port, id, POSITION)[0], 32)
        assert bus.write4ByteTxRx(port, id, OFFSET, offset % 2**32) == OK
        assert signed(bus.read4ByteTxRx(port, id, OFFSET)[0], 32) == offset
        assert bus.read4ByteTxRx(port, id, POSITION)[0] == 2047


def test_clear_and_factory_reset(bus, port):
    assert bus.clearMultiTurn(port, 6) == OK
    assert bus.factoryReset(port, 6, 0x02) == OK
    time.sleep(0.2)
    assert bus.ping(port, 6) == (1200, *OK)
    assert bus.read4ByteTxRx(port, 6, OFFSET) == (0, *OK)


def test_an_arm_under_torque_goes_where_it_is_sent(bus, tmp_path):
    with LaunchedArm(tmp_path / "port", protocol="dynamixel") as arm:
        port = opened(sdk, arm)
        starts = [bus.read4ByteTxRx(port, id, POSITION)[0] for id in IDS]
        for id, start in zip(IDS, starts, strict=True):
            assert bus.write4ByteTxRx(port, id, GOAL, start) == OK
            assert bus.write1ByteTxRx(port, id, TORQUE, 1) == OK
            assert bus.write4ByteTxRx(port, id, GOAL, start + 150) == OK
        time.sleep(1.0)
        for id, start in zip(IDS, starts, strict=True):
            assert bus.read4ByteTxRx(port, id, POSITION)[0] == pytest.approx(start + 150, abs=40)
        port.closePort()
