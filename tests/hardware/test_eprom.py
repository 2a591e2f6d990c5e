"""What servos have to hold of a calibration, and writing it into memories."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest

from hardware.bus import Bus, open_bus
from hardware.calibrate.eprom import by_joint, write_changes
from hardware.calibration import JointCalibration
from hardware.clock import Clock
from hardware.description import RobotDescription, robot
from hardware.eprom import Change, changes, effective_offset, read_held, to_hold
from hardware.errors import HardwareError
from hardware.servos import SERVOS

FEETECH = {"operating_mode": 0, "phase": 12, "homing_offset": 0}
DYNAMIXEL = {"operating_mode": 3, "drive_mode": 0, "homing_offset": 0}


def joint(offset: int, low: int = 1000, high: int = 3096, servo: str = "STS3215") -> JointCalibration:
    return JointCalibration(1, servo, "3.10", offset, low, high, 1, 0.0)


def pair(servo: str) -> RobotDescription:
    joints = {name: {"id": id, "servo": servo, "lower": -1.0, "upper": 1.0} for name, id in (("a", 1), ("b", 2))}
    return robot("pair", SERVOS[servo].protocol, joints, {"p": 16, "i": 0, "d": 32}, 12.0, 3.0, 60.0, 3000.0)


def test_a_feetech_servo_gets_its_offset_its_limits_and_single_turn_feedback() -> None:
    held = to_hold(SERVOS["STS3215"], joint(-709), {**FEETECH, "phase": 28})
    assert held == {
        "status_level": 1, "return_delay": 0, "homing_offset": -709, "min_position": 1000, "max_position": 3096,
        "operating_mode": 0, "phase": 12,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("offset", "low", "high", "mode"),
    [
        (0, 0, 4095, 3),
        (1024, 1100, 3000, 3),
        (1025, 1100, 3000, 4),  # the servo would ignore the offset
        (-1025, 1100, 3000, 4),
        (1000, 900, 3200, 4),  # its seam lies in the travel: 900 is -100 to the encoder
        (-1000, 900, 3200, 4),
    ],
)
def test_a_dynamixel_servo_stays_in_one_turn_where_it_can(offset: int, low: int, high: int, mode: int) -> None:
    held = to_hold(SERVOS["XL330-M288"], joint(offset, low, high, "XL330-M288"), {**DYNAMIXEL, "drive_mode": 5})
    assert (held["operating_mode"], held["drive_mode"], held["status_level"]) == (mode, 4, 2)


@pytest.mark.parametrize(
    ("protocol", "offset", "mode", "effect"),
    [
        ("feetech", 2000, 0, 2000),
        ("dynamixel", 1024, 3, 1024),
        ("dynamixel", -1025, 3, 0),
        ("dynamixel", -1025, 4, -1025),
    ],
)
def test_an_offset_counts_where_the_servo_applies_it(protocol: Any, offset: int, mode: int, effect: int) -> None:
    assert effective_offset(protocol, {"homing_offset": offset, "operating_mode": mode}) == effect


def test_changes_are_told_joint_by_joint() -> None:
    found = [Change("a", "homing_offset", 0, 5), Change("a", "phase", 28, 12), Change("b", "homing_offset", 1, 2)]
    assert by_joint(found, "{held} -> {wanted}") == [
        "a: homing_offset 0 -> 5, phase 28 -> 12",
        "b: homing_offset 1 -> 2",
    ]


@pytest.mark.parametrize("servo", ["STS3215", "XL330-M288"])
def test_what_is_written_is_held(open_pair: Callable[..., tuple[Bus, Any]], servo: str) -> None:
    described = pair(servo)
    bus, server = open_pair(servo)
    wanted = {"a": joint(-709, servo=servo), "b": joint(300, 500, 3500, servo)}
    todo = changes(described, wanted, read_held(bus, described))
    assert todo
    write_changes(bus, described, todo)
    assert changes(described, wanted, read_held(bus, described)) == []
    assert (server.get(2, "min_position"), server.get(2, "max_position")) == (500, 3500)


def test_ctrl_c_does_not_come_between(open_pair: Callable[..., tuple[Bus, Any]]) -> None:
    described = pair("STS3215")
    bus, server = open_pair("STS3215")
    todo = changes(described, {"a": joint(-709), "b": joint(300)}, read_held(bus, described))

    def interrupting(request: bytes, replies: list[bytes]) -> list[tuple[float, bytes]]:
        signal.raise_signal(signal.SIGINT)
        return [(0.0, b"".join(replies))]

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    server.tamper = interrupting
    try:
        with pytest.raises(KeyboardInterrupt):
            write_changes(bus, described, todo)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (server.get(1, "homing_offset"), server.get(2, "homing_offset")) == (-709, 300)


def test_a_servo_that_stops_answering_leaves_a_report(open_pair: Callable[..., tuple[Bus, Any]]) -> None:
    described = pair("STS3215")
    bus, server = open_pair("STS3215")
    todo = changes(described, {"a": joint(-709), "b": joint(300)}, read_held(bus, described))
    server.dead.add(2)
    with pytest.raises(HardwareError, match=r"half written \(b half \(at homing_offset\), a new\); mend the cause"):
        write_changes(bus, described, todo)


@pytest.fixture
def open_pair(serve: Callable[..., Any]) -> Iterator[Callable[[str], tuple[Bus, Any]]]:
    """A bus to two servos that are nothing but their memories, and those."""
    with ExitStack() as ending:

        def make(servo: str) -> tuple[Bus, Any]:
            server = serve({1: SERVOS[servo], 2: SERVOS[servo]})
            bus = ending.enter_context(closing(open_bus(replace(pair(servo), port=server.port), Clock())))
            return bus, server

        yield make
