"""Telemetry of servos whose registers the test sets, on an arm clock that it moves on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hardware.arm.joint import Joint
from hardware.arm.reader import Reader
from hardware.bus import Bus
from hardware.calibration import JointCalibration
from hardware.clock import Clock
from hardware.feetech_bus import FeetechFamily
from hardware.servos import SERVOS
from hardware.transport import Transport

SERVO = SERVOS["STS3215"]


class Stepped(Clock):
    """A clock that only the test moves on."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def server(serve: Callable[..., Any]) -> Any:
    made = serve({1: SERVO})
    made.set(1, "present_position", 2048)
    return made


def test_a_doubted_motion_does_not_make_the_load_old(server: Any) -> None:
    clock = Stepped()
    bus = Bus(Transport(server.port, 1_000_000, clock), FeetechFamily(), server.servos)
    joint = Joint("elbow", 1, SERVO, JointCalibration(1, "STS3215", "3.10", 0, 0, 4095, 1, 0.0))
    reader = Reader(bus, [joint], velocity=3.0, clock=clock)
    server.set(1, "present_velocity", 600)
    server.set(1, "present_load", 500)
    clock.seconds = 0.01
    assert reader.read(driven=True) is True
    odd = reader.telemetry
    assert (odd.measured[0], odd.heard, odd.velocity[0]) == (0.0, 0.01, 0.0) and odd.load[0] == pytest.approx(0.5)
    clock.seconds = 0.02
    assert reader.read(driven=True) is True
    assert reader.telemetry.measured[0] == 0.02 and reader.telemetry.velocity[0] > 0.5
    bus.close()
