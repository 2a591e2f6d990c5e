"""Other people's software as clients of the virtual arm: the makers' SDKs and LeRobot's motor buses.

The SDKs' rows are the outcomes of their tests. LeRobot is no dependency of the project; its rows are left out where it
is not installed (docs/virtual_arm.md says how). Prints a table and writes `results/conformance.json`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from machine import RESULTS, ROOT, commit, machine

from sim.virtual_arm.launch import LaunchedArm

NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
SDKS = {"feetech-servo-sdk": "test_feetech_sdk.py", "dynamixel-sdk": "test_dynamixel_sdk.py"}
REACH = 300
"""How far a hand sweeps each joint to either side [ticks]."""

Check = tuple[str, Callable[[], bool]]


class Outcomes:
    """A pytest plugin that keeps what became of every test."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of each test."""
        name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
        self.passed[name] = self.passed.get(name, True) and not report.failed


def sdk(tests: str) -> dict[str, bool]:
    """What works with one SDK, by what its tests are called."""
    outcomes = Outcomes()
    pytest.main(["-q", "--no-header", "--no-summary", str(ROOT / "tests/sim/virtual_arm" / tests)], plugins=[outcomes])
    return outcomes.passed


def lerobot(protocol: str) -> dict[str, bool]:
    """What works with LeRobot's bus for one protocol."""
    keys = {"protocol": protocol, "eprom": "factory"}
    with tempfile.TemporaryDirectory() as folder, LaunchedArm(Path(folder) / "port", **keys) as arm:
        results = {}
        for name, check in lerobot_checks(protocol, arm):
            try:
                results[name] = check()
            except Exception as error:
                print(f"lerobot {protocol}, {name}: {type(error).__name__}: {error}", file=sys.stderr)
                results[name] = False
        return results


def lerobot_checks(protocol: str, arm: LaunchedArm) -> Iterator[Check]:
    """What a LeRobot arm does with its bus from the first connection on, in that order."""
    bus = lerobot_bus(protocol, str(arm.link))
    yield "connect with handshake", lambda: bus.connect() is None
    number = 777 if protocol == "feetech" else 1200
    yield "broadcast ping", lambda: bus.broadcast_ping(num_retry=2) == dict.fromkeys(range(1, 7), number)
    yield "ping", lambda: bus.ping("gripper", num_retry=2) == number
    yield "configure motors, write, read", lambda: _configured(bus, protocol)
    yield "half-turn homing", lambda: _homed(bus)
    yield "record ranges of motion", lambda: _swept(bus, arm, protocol)
    yield "write and read calibration", lambda: bus.is_calibrated
    yield "calibration survives reconnecting", lambda: _still_calibrated(bus)
    yield "sync write, sync read, torque", lambda: _moved(bus)
    yield "set up a single motor (id, baud)", lambda: _set_up(bus, arm)
    yield "disconnect without torque", lambda: bus.disconnect() is None and not any(arm.state()["driven"])


def lerobot_bus(protocol: str, port: str) -> Any:
    """LeRobot's own bus with its own names of motors."""
    from lerobot.motors import Motor, MotorNormMode  # noqa: PLC0415 - optional, no dependency of the project

    if protocol == "feetech":
        from lerobot.motors.feetech import FeetechMotorsBus as Made  # noqa: PLC0415
    else:
        from lerobot.motors.dynamixel import DynamixelMotorsBus as Made  # noqa: PLC0415
    kind = "sts3215" if protocol == "feetech" else "xl330-m288"
    modes = [MotorNormMode.RANGE_M100_100] * 5 + [MotorNormMode.RANGE_0_100]
    motors = {name: Motor(id, kind, mode) for id, (name, mode) in enumerate(zip(NAMES, modes, strict=True), 1)}
    return Made(port=port, motors=motors)


def _configured(bus: Any, protocol: str) -> bool:
    settings = {"P_Coefficient": 16, "I_Coefficient": 0, "D_Coefficient": 32, "Max_Torque_Limit": 500}
    if protocol == "dynamixel":
        settings = {"Position_P_Gain": 1500, "Position_I_Gain": 0, "Position_D_Gain": 600, "Current_Limit": 1500}
    with bus.torque_disabled():
        bus.configure_motors()
        for motor in bus.motors:
            bus.write("Operating_Mode", motor, 0 if protocol == "feetech" else 4)
            for name, value in settings.items():
                bus.write(name, motor, value)
    return all(bus.read(name, motor) == value for motor in bus.motors for name, value in settings.items())


def _homed(bus: Any) -> bool:
    bus.disable_torque()
    bus.set_half_turn_homings()
    positions = bus.sync_read("Present_Position", normalize=False)
    return all(abs(position - 2047) <= 2 for position in positions.values())


def _swept(bus: Any, arm: LaunchedArm, protocol: str) -> bool:
    from lerobot.motors import MotorCalibration, motors_bus  # noqa: PLC0415

    rest = arm.state()["position"]
    swing = REACH / 651.9
    lines = [
        f"hand ids={id} to={angle + side * swing} at={0.5 * k} for=0.5"
        for id, angle in enumerate(rest, 1)
        for k, side in enumerate((1, -1, 0))
    ]
    arm.tell("; ".join(lines))
    end = time.monotonic() + 1.7
    motors_bus.enter_pressed = lambda: time.monotonic() > end
    lowest, highest = bus.record_ranges_of_motion(display_values=False)
    offsets = bus.sync_read("Homing_Offset", normalize=False) if protocol == "dynamixel" else None
    bus.write_calibration(
        {
            name: MotorCalibration(
                id=bus.motors[name].id,
                drive_mode=0,
                homing_offset=offsets[name] if offsets else bus.read("Homing_Offset", name, normalize=False),
                range_min=lowest[name],
                range_max=highest[name],
            )
            for name in NAMES
        }
    )
    return all(highest[name] - lowest[name] > REACH for name in NAMES)


def _still_calibrated(bus: Any) -> bool:
    bus.disconnect()
    bus.connect()
    return bool(bus.is_calibrated)


def _moved(bus: Any) -> bool:
    wanted = dict.fromkeys(NAMES, 30.0) | {"gripper": 65.0}
    here = bus.sync_read("Present_Position")
    bus.sync_write("Goal_Position", here)
    bus.enable_torque()
    bus.sync_write("Goal_Position", wanted)
    time.sleep(1.5)
    reached = bus.sync_read("Present_Position")
    return all(abs(reached[name] - wanted[name]) < 15 for name in NAMES)


def _set_up(bus: Any, arm: LaunchedArm) -> bool:
    bus.disable_torque()
    # Alone on the bus: the others keep silent. As a new servo it has another id and baud.
    arm.tell("dead ids=1,2,3,4,5")
    bus.write("Baud_Rate", "gripper", 1)
    bus.setup_motor("gripper")
    arm.tell("clear")
    return bool(bus.ping("gripper", num_retry=2))


def main() -> None:
    clients = {f"{name} {version(name)}": sdk(tests) for name, tests in SDKS.items()}
    if importlib.util.find_spec("lerobot"):
        for protocol in ("feetech", "dynamixel"):
            clients[f"lerobot {version('lerobot')}, {protocol} bus"] = lerobot(protocol)
    else:
        print("lerobot is not installed: left out")
    for client, results in clients.items():
        print(f"\n{client}: {sum(results.values())} of {len(results)}")
        for name, works in results.items():
            print(f"  {'works' if works else 'FAILS'}  {name}")
    content = {"commit": commit(), "machine": machine(), "clients": clients}
    (RESULTS / "conformance.json").write_text(json.dumps(content, indent=2) + "\n")
    sys.exit(not all(all(results.values()) for results in clients.values()))


if __name__ == "__main__":
    main()
