"""A servo that has forgotten its turns is understood and led where it is meant to go, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware.arm.driver import Arm, open_arm
from hardware.arm.faults import ArmFault, FaultKind
from hardware.arm.joint import Joint
from hardware.arm.turns import counted
from hardware.bus import open_bus
from hardware.calibration import JointCalibration
from hardware.clock import Clock
from hardware.control_socket import ask
from hardware.description import RobotDescription, robot
from hardware.errors import HardwareError
from hardware.servos import SERVOS

from ...arms import described

ROLL = 4
BEYOND = -1.0
"""Where wrist_roll is on the far side of the seam [rad]."""


@dataclass
class Bench:
    """The arm of `seam_arm.py` at a link."""

    link: Path
    calibration: Path

    @property
    def robot(self) -> RobotDescription:
        return described("light", port=str(self.link))

    def opened(self) -> Arm:
        return open_arm(self.robot, self.calibration, Clock())

    def roll(self) -> float:
        angle: float = json.loads(ask(self.link, "state"))["position"][ROLL]
        return angle

    def turn_by_hand(self, angle: float) -> None:
        ask(self.link, f"hand ids={ROLL + 1} to={angle} for=0.5")
        time.sleep(0.6)

    def cycle_power(self) -> None:
        ask(self.link, "brownout")
        time.sleep(0.25)  # servos take a moment to start


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    own = Bench(tmp_path / "arm", tmp_path / "calibration.json")
    program = [sys.executable, str(Path(__file__).with_name("seam_arm.py")), str(own.link), str(own.calibration)]
    with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield own
        process.terminate()


@pytest.mark.parametrize("fault", ["none", "unplug for=0.1", "brownout"])
def test_a_joint_beyond_its_seam_is_where_it_is_and_goes_where_it_is_sent(bench: Bench, fault: str) -> None:
    bench.turn_by_hand(BEYOND)
    if fault != "none":
        ask(bench.link, fault)
        time.sleep(0.25)
    with closing(bench.opened()) as arm:
        assert arm.telemetry.position[ROLL] == pytest.approx(bench.roll(), abs=0.01)
        assert arm.telemetry.position[ROLL] == pytest.approx(BEYOND, abs=0.1)
        arm.torque_on(1.0)
        goal = arm.goal + np.where(np.arange(6) == ROLL, 1.3, 0.0)
        for _ in range(90):
            arm.send(goal)
            time.sleep(0.01)
            arm.read()
        assert bench.roll() == pytest.approx(goal[ROLL], abs=0.1)
        assert arm.telemetry.position[ROLL] == pytest.approx(bench.roll(), abs=0.02)
        arm.safe_stop("torque_off")


def test_no_torque_where_a_servo_was_reset_after_the_arm_was_opened(bench: Bench) -> None:
    bench.turn_by_hand(BEYOND)
    with closing(bench.opened()) as arm:
        bench.cycle_power()
        with pytest.raises(ArmFault, match="wrist_roll counts another turn") as caught:
            arm.torque_on(1.0)
        assert caught.value.fault.kind is FaultKind.BROWN_OUT
        assert not any(json.loads(ask(bench.link, "state"))["driven"])


@pytest.mark.parametrize(
    ("servo", "offset", "position", "turns"),
    [
        ("XL330-M288", 1900, 2048, 0),
        ("XL330-M288", 1900, 1000 - 4096, -1),
        ("XL330-M288", 1900, 3100 + 4096, 1),  # a little beyond the end, in the only turn that is near
        ("XL330-M288", 1900, 2048 + 3 * 4096, 3),
        ("XL330-M288", 1900, 4000, "stands at 4000 ticks, in no turn inside its range of 1000 to 3000"),
        ("XL330-M288", 1900, -100, "stands at -100 ticks, in no turn inside its range of 1000 to 3000"),
        ("XL330-M288", 0, 2048 + 4096, "it counts several turns"),  # one turn is all that it has
        ("STS3215", 0, 3900, 0),
        ("STS3215", 0, 2048 + 4096, "it counts several turns"),
    ],
)
def test_turns(serve: Callable[..., Any], servo: str, offset: int, position: int, turns: int | str) -> None:
    model = SERVOS[servo]
    server = serve({1: model})
    server.set(1, "present_position", position)
    joint = Joint("roll", 1, model, JointCalibration(1, servo, "1", offset, 1000, 3000, 1, 0.0))
    parts = {"roll": {"id": 1, "servo": servo, "lower": -1.0, "upper": 1.0}}
    described = robot("one", model.protocol, parts, {"p": 1, "i": 0, "d": 0}, 5.0, 3.0, 60.0, 3000.0, port=server.port)
    with closing(open_bus(described, Clock())) as bus:
        if isinstance(turns, str):
            with pytest.raises(HardwareError, match=turns):
                counted(bus, (joint,))
            return
        (found,) = counted(bus, (joint,))
    assert found.turns == turns
    assert found.ticks(found.radians(position)) == min(position, 3000 + turns * 4096)
