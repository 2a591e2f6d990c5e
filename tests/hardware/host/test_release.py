"""An arm whose torque was taken away by order, and every way in which that ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.description import DeadMan, EndState, RobotDescription
from hardware.host.client import HostClient, NotMoving
from hardware.host.conduct import Conduct
from hardware.host.json_codec import encode
from hardware.host.messages import Begin, HostState
from sim.virtual_arm.launch import LaunchedArm

MakeClient = Callable[..., HostClient]


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def driven(virtual: LaunchedArm) -> bool:
    """Whether the torque of all servos is on; none may differ."""
    states = set(virtual.state()["driven"])
    assert len(states) == 1
    return bool(states.pop())


@pytest.fixture
def released(client: MakeClient) -> Callable[[EndState], HostClient]:
    """Starts a host and takes the torque of its arm away."""

    def start(end_state: EndState) -> HostClient:
        host = client(end_state)
        host.torque_on(1.0)
        host.release()
        return host

    return start


def test_a_joint_that_does_not_let_go_is_named(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client("hold")
    host.torque_on(1.0)
    virtual.tell("dead ids=3")
    with pytest.raises(NotMoving):
        host.release()
    wait_until(lambda: host.report().fault is not None)
    time.sleep(0.3)  # whatever the stop finds out
    fault = host.report().fault
    assert fault is not None and fault.cause == "the torque of elbow_flex could not be switched off"
    assert "switch the supply off" in fault.remedy


def test_a_released_arm_is_read_and_held_again_where_it_stands(
    virtual: LaunchedArm, released: Callable[[EndState], HostClient]
) -> None:
    host = released("hold")
    assert host.report().state is HostState.RELEASED and not driven(virtual)
    begun = virtual.state()["position"][0]
    virtual.tell(f"hand ids=1 to={begun + 0.3} for=0.5")
    wait_until(lambda: abs(host.report().position[0] - begun - 0.3) < 0.02)
    time.sleep(0.5)  # the hand lets go
    host.torque_on(1.0)
    report = host.report()
    assert report.state is HostState.HOLDING and driven(virtual)
    assert report.commanded == pytest.approx(report.position, abs=0.01)
    assert virtual.state()["position"][0] == pytest.approx(begun + 0.3, abs=0.03)


@pytest.mark.parametrize("end_state", ["hold", "torque_off"])
@pytest.mark.parametrize("way", ["stop", "close"])
def test_a_released_arm_ends_in_its_configured_state(
    virtual: LaunchedArm, released: Callable[[EndState], HostClient], end_state: EndState, way: str
) -> None:
    host = released(end_state)
    if way == "close":
        host.close()
    else:
        host.stop()
        wait_until(lambda: host.report().state is HostState.STOPPED)
    assert driven(virtual) is (end_state == "hold")


def test_after_a_fault_nothing_turns_the_torque_on(
    virtual: LaunchedArm, released: Callable[[EndState], HostClient]
) -> None:
    host = released("hold")
    virtual.tell("dead ids=3 for=0.5")
    wait_until(lambda: host.report().state is HostState.FAULT)
    with pytest.raises(NotMoving, match="elbow_flex"):
        host.torque_on(1.0)
    host.close()
    assert not driven(virtual)


def test_only_an_arm_that_holds_is_released(client: MakeClient) -> None:
    host = client("hold")
    with pytest.raises(NotMoving, match="disarmed"):
        host.release(wait=0.2)


def test_a_released_arm_follows_nothing_and_a_stop_needs_no_way() -> None:
    conduct = Conduct(DeadMan())
    conduct.release()
    conduct.hold(0.0)
    assert conduct.goal(1.0) is None and conduct.state is HostState.RELEASED
    conduct.stop(1.0)
    assert conduct.state is HostState.STOPPED and not conduct.over
    conduct.leave(1.0)
    assert conduct.over


ROBOT_PROCESS = """
import sys, time
from hardware.host.client import HostClient
from hardware.host.json_codec import decode
begin = decode(sys.stdin.buffer.readline())
host = HostClient(begin.robot, begin.calibration)
host.torque_on(1.0)
host.release()
print("released", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("end_state", ["hold", "torque_off"])
def test_a_killed_robot_process_leaves_a_released_arm_in_its_configured_state(
    virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path, end_state: EndState
) -> None:
    begin = Begin(replace(robot, dead_man=DeadMan(end_state=end_state)), calibration_path, 1)
    with subprocess.Popen(
        [sys.executable, "-c", ROBOT_PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(encode(begin) + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"released\n"
        assert not driven(virtual)
        process.kill()
    time.sleep(1.5)
    assert driven(virtual) is (end_state == "hold")
    assert max(map(abs, virtual.state()["velocity"])) < 0.05
