"""Torque comes on where a joint stands, inside its range, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hardware.arm.joint import Joint
from hardware.arm.torque import take_back, torque_on
from hardware.bus import Bus
from hardware.calibration import JointCalibration
from hardware.clock import Clock
from hardware.description import DeadMan, Gains
from hardware.dynamixel_bus import DynamixelFamily
from hardware.errors import OutOfRange
from hardware.feetech_bus import FeetechFamily
from hardware.servos import SERVOS
from hardware.servos.model import DRIVE_LIMITS
from hardware.transport import Transport

GAINS = Gains(16, 0, 32)
LOWER, UPPER = 1000, 3000


@pytest.fixture(params=["STS3215", "XL330-M288"])
def servo(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(serve: Callable[..., Any], servo: str) -> Any:
    return serve(dict.fromkeys((1, 2), SERVOS[servo]))


@pytest.fixture
def bus(server: Any, servo: str) -> Iterator[Bus]:
    family = FeetechFamily() if servo == "STS3215" else DynamixelFamily(fast=True)
    made = Bus(Transport(server.port, 1_000_000, Clock()), family, server.servos)
    yield made
    made.close()


@pytest.fixture
def joints(servo: str) -> list[Joint]:
    ranges = JointCalibration(1, servo, "1", 0, LOWER, UPPER, 1, 0.0)
    return [Joint(name, id, SERVOS[servo], ranges) for id, name in ((1, "pan"), (2, "lift"))]


@pytest.mark.parametrize(("stands", "goal"), [(2000, 2000), (UPPER + 20, UPPER), (LOWER - 30, LOWER)])
def test_a_joint_that_leans_on_its_stop_is_led_back_inside(
    bus: Bus, server: Any, joints: list[Joint], stands: int, goal: int
) -> None:
    for id in (1, 2):
        server.set(id, "present_position", stands)
    assert torque_on(bus, joints, GAINS, DeadMan()) == {1: goal, 2: goal}
    assert [server.get(id, "torque_enable") for id in (1, 2)] == [1, 1]


def test_an_arm_that_was_left_weak_gets_its_full_drive_back(
    bus: Bus, server: Any, joints: list[Joint], servo: str
) -> None:
    limit, full = DRIVE_LIMITS[SERVOS[servo].protocol]
    for id in (1, 2):
        server.set(id, "present_position", 2000)
        server.set(id, full, 800)
        server.set(id, limit, 100)
    torque_on(bus, joints, GAINS, DeadMan())
    assert [server.get(id, limit) for id in (1, 2)] == [800, 800]


@pytest.mark.parametrize("stands", [UPPER + 97, LOWER - 97])
def test_no_torque_comes_on_where_a_joint_stands_outside_its_range(
    bus: Bus, server: Any, joints: list[Joint], stands: int
) -> None:
    server.set(1, "present_position", 2000)
    server.set(2, "present_position", stands)
    with pytest.raises(OutOfRange, match=r"lift \(id 2\) stands 9 deg outside its calibrated range; move it inside"):
        torque_on(bus, joints, GAINS, DeadMan())
    assert [server.get(id, "torque_enable") for id in (1, 2)] == [0, 0]


@pytest.mark.parametrize("goal", [2500, UPPER + 500])
def test_a_driven_joint_far_from_its_goal_stays_where_it_is(
    bus: Bus, server: Any, joints: list[Joint], goal: int
) -> None:
    for id in (1, 2):
        server.set(id, "present_position", 2000)
        server.set(id, "goal_position", goal)
        server.set(id, "torque_enable", 1)
    assert take_back(bus, joints)
    assert [server.get(id, "goal_position") for id in (1, 2)] == [2000, 2000]
    assert not take_back(bus, joints)
    assert torque_on(bus, joints, GAINS, DeadMan()) == {1: 2000, 2: 2000}


def test_a_driven_joint_that_sags_keeps_its_goal(bus: Bus, server: Any, joints: list[Joint]) -> None:
    for id in (1, 2):
        server.set(id, "present_position", 2000)
        server.set(id, "goal_position", 2040)
        server.set(id, "torque_enable", 1)
    assert not take_back(bus, joints)
    assert torque_on(bus, joints, GAINS, DeadMan()) == {1: 2040, 2: 2040}


def test_a_driven_joint_outside_its_range_is_left_as_it_is(bus: Bus, server: Any, joints: list[Joint]) -> None:
    server.set(1, "present_position", 2000)
    server.set(2, "present_position", UPPER + 97)
    server.set(2, "torque_enable", 1)
    for turn_on in (lambda: take_back(bus, joints), lambda: torque_on(bus, joints, GAINS, DeadMan())):
        with pytest.raises(OutOfRange, match="lift"):
            turn_on()
    assert [server.get(id, "torque_enable") for id in (1, 2)] == [0, 1]
