"""The virtual arm as a process: its link, its manifest, its end, and what a client at the port sees."""

from __future__ import annotations

import signal
import time

import pytest
import serial

from hardware.codec import feetech
from hardware.errors import HardwareError
from hardware.manifest import read_manifest
from sim.virtual_arm.launch import LaunchedArm

PING = feetech.encode_request(*feetech.ping(1))
PONG = feetech.encode_status(1, 0)
ALL = feetech.encode_request(*feetech.sync_read(range(1, 7), 56, 15))
ALL_BYTES = 6 * 21
PATIENCE = 2.0


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    with LaunchedArm(tmp_path_factory.mktemp("arm") / "port") as launched:
        yield launched


@pytest.fixture
def port(arm):
    yield from opened(arm)
    arm.tell("clear")


def opened(arm, baud=1_000_000):
    with serial.Serial(str(arm.link), baud, timeout=PATIENCE) as made:
        yield made


def asked(port, request, count):
    port.write(request)
    return port.read(count)


def position(port, id):
    answer = asked(port, feetech.encode_request(*feetech.read(id, 56, 2)), 8)
    (status,) = feetech.Parser().feed(answer)
    return int.from_bytes(status.parameters, "little")


def test_clients_come_and_go(arm):
    for _ in range(3):
        with serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port:
            assert asked(port, PING, len(PONG)) == PONG


def test_the_manifest_makes_it_known_as_virtual(arm):
    manifest = read_manifest(str(arm.link))
    assert manifest is not None
    assert (manifest.serial, manifest.robot, manifest.time_scale) == ("virtual-so101", "so101", 1.0)
    assert manifest.calibration.endswith("virtual-so101.json")


@pytest.mark.parametrize("baud", [500_000, 115_200, 250_000])
def test_clients_at_another_baud_are_not_heard(arm, baud):
    with serial.Serial(str(arm.link), baud, timeout=0.1) as port:
        assert asked(port, PING, len(PONG)) == b""
        port.baudrate = 1_000_000
        assert asked(port, PING, len(PONG)) == PONG


def test_a_servo_that_was_set_to_another_baud_is_heard_there(arm, port):
    def set_baud(code):
        for address, value in ((55, 0), (6, code)):
            port.write(feetech.encode_request(*feetech.write(6, address, bytes((value,)))))
            port.read(len(PONG))

    ping = feetech.encode_request(*feetech.ping(6))
    set_baud(3)
    port.timeout = 0.1
    assert asked(port, ping, len(PONG)) == b""
    port.baudrate = 128_000
    port.timeout = PATIENCE
    assert asked(port, ping, len(PONG)) == feetech.encode_status(6, 0)
    set_baud(0)
    port.baudrate = 1_000_000
    assert asked(port, ping, len(PONG)) == feetech.encode_status(6, 0)


def test_every_byte_value_passes_both_ways(port):
    for begin in range(0, 256, 2):
        word = bytes((begin, begin + 1))
        port.write(feetech.encode_request(*feetech.write(1, 44, word)))
        port.read(len(PONG))
        answer = asked(port, feetech.encode_request(*feetech.read(1, 44, 2)), 8)
        assert feetech.Parser().feed(answer)[0].parameters == word


def test_an_exchange_takes_no_less_than_the_wire_does(port):
    wire = (len(ALL) + ALL_BYTES) * 10 / 1_000_000
    took = []
    for _ in range(50):
        begun = time.perf_counter()
        assert len(asked(port, ALL, ALL_BYTES)) == ALL_BYTES
        took.append(time.perf_counter() - begun)
    # A process wakes up late, which the arm allows for.
    assert min(took) > wire - 150e-6


def test_it_moves_in_real_time(arm, port):
    arm.tell("hand ids=5 to=0.5 for=1")
    begun = time.monotonic(), arm.state()["time"]
    before = position(port, 5)
    time.sleep(1.0)
    passed = time.monotonic() - begun[0], arm.state()["time"] - begun[1]
    assert passed[1] == pytest.approx(passed[0], abs=0.1)
    assert abs(position(port, 5) - before) > 200
    assert arm.state()["position"][4] == pytest.approx(0.5, abs=0.05)


def test_unplugging_ends_the_port_and_replugging_makes_a_new_one(arm):
    with serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port:
        assert asked(port, PING, len(PONG)) == PONG
        arm.tell("unplug for=0.3")
        deadline = time.monotonic() + 5.0
        while arm.link.is_symlink() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_manifest(str(arm.link)) is None
        with pytest.raises((OSError, serial.SerialException)):
            for _ in range(10):
                port.write(PING)
                port.read(1)
    while not arm.link.is_symlink() and time.monotonic() < deadline:
        time.sleep(0.01)
    with serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port:
        assert asked(port, PING, len(PONG)) == PONG


def test_the_back_door_refuses_in_one_line(arm):
    with pytest.raises(HardwareError, match="fire: no such fault"):
        arm.tell("fire")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_leaves_nothing_but_its_memory(tmp_path, number):
    arm = LaunchedArm(tmp_path / "port")
    held = serial.Serial(str(arm.link), 1_000_000)
    assert arm.end(number) == 0
    held.close()
    assert [path.name for path in tmp_path.iterdir()] == ["port.eprom.json"]


def test_the_servos_remember_from_one_run_to_the_next(tmp_path):
    write = [
        feetech.write(3, 55, b"\0"),
        feetech.write(3, 31, (250).to_bytes(2, "little")),
        feetech.write(3, 5, b"\x09"),
    ]
    with LaunchedArm(tmp_path / "port", eprom=tmp_path / "memory.json") as arm:
        with serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port:
            for request in write:
                asked(port, feetech.encode_request(*request), 6)
        arm.process.kill()
        arm.process.wait()
    with (
        LaunchedArm(tmp_path / "port", eprom=tmp_path / "memory.json") as arm,
        serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port,
    ):
        answer = asked(port, feetech.encode_request(*feetech.read(9, 31, 2)), 8)
        assert feetech.Parser().feed(answer)[0].parameters == (250).to_bytes(2, "little")


def test_ten_times_as_fast(tmp_path):
    with LaunchedArm(tmp_path / "port", time_scale=10, eprom="factory") as arm:
        assert read_manifest(str(arm.link)).time_scale == 10.0
        with serial.Serial(str(arm.link), 1_000_000, timeout=PATIENCE) as port:
            # Offsets are zero: the encoders show how the servos were mounted.
            assert position(port, 1) == 2048 + 310
            arm.tell("hand ids=1 to=1.0 for=2")
            begun = time.monotonic(), arm.state()["time"]
            time.sleep(0.5)
            assert position(port, 1) == pytest.approx(2048 + 310 + 652, abs=40)
            passed = time.monotonic() - begun[0], arm.state()["time"] - begun[1]
            assert passed[1] / passed[0] == pytest.approx(10.0, rel=0.1)
