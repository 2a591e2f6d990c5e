"""A host in its own process on a virtual arm: orders, silence, faults, and both processes' deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hardware import insist
from hardware.arm.limits import with_ranges
from hardware.bus import open_bus
from hardware.clock import Clock
from hardware.description import DeadMan, EndState, RobotDescription
from hardware.errors import HardwareError
from hardware.host.client import HostClient, HostDied, NotMoving
from hardware.host.json_codec import encode
from hardware.host.messages import Begin, HostState, Report
from hardware.manifest import read_manifest
from porl_robot.command import Command, CommandSpace
from sim.virtual_arm.launch import LaunchedArm

from ...arms import comes_to_rest, described

MakeClient = Callable[..., HostClient]


def driven(virtual: LaunchedArm) -> list[bool]:
    return [bool(each) for each in virtual.state()["driven"]]


def wait_for(client: HostClient, state: HostState, seconds: float = 3.0) -> Report:
    deadline = time.monotonic() + seconds
    while (report := client.report()).state is not state:
        assert time.monotonic() < deadline, report
        time.sleep(0.002)
    return report


def sweep(client: HostClient, seconds: float, speed: float = 0.6) -> None:
    """Moves the pan joint for a while, as a control loop does."""
    start = np.array(client.report().commanded)
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        values, velocity = start.copy(), np.zeros(6)
        values[0] += speed * (passed + 0.05)
        velocity[0] = speed
        client.follow(Command(CommandSpace.JOINT_TARGET, values, velocity, np.zeros(6)), 0.05)
        time.sleep(0.05)


def port_is_free(robot: RobotDescription) -> bool:
    try:
        open_bus(robot, Clock()).close()
    except HardwareError:
        return False
    return True


def test_a_host_reads_and_leaves_the_torque_alone(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client()
    report = host.report()
    assert report.state is HostState.DISARMED and report.torque == (False,) * 6
    assert report.position == pytest.approx(virtual.state()["position"], abs=0.002)
    assert 0.0 <= host.age(host.report()) < 0.2
    assert "scheduling" in host.started.scheduling
    with pytest.raises(ValueError, match="JSON"):
        host.follow(Command.at_rest(CommandSpace.JOINT_TARGET, np.full(6, np.nan)), 0.05)


def test_commands_before_arming_move_nothing(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client()
    before = virtual.state()["position"]
    sweep(host, 0.2)
    assert host.report().state is HostState.DISARMED
    assert virtual.state()["position"] == pytest.approx(before, abs=0.002)


def test_closing_reaches_the_end_state_and_frees_the_port(
    virtual: LaunchedArm, robot: RobotDescription, client: MakeClient
) -> None:
    host = client()
    host.torque_on(1.0)
    sweep(host, 0.2)
    assert not port_is_free(robot)
    host.close()
    host.close()
    assert driven(virtual) == [False] * 6
    assert port_is_free(robot)


def test_the_arm_follows_and_holds(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client()
    host.torque_on(1.0)
    begun = virtual.state()["position"][0]
    sweep(host, 0.4)
    host.hold()
    report = wait_for(host, HostState.HOLDING)
    time.sleep(0.6)
    report = host.report()
    assert report.state is HostState.HOLDING
    assert virtual.state()["position"][0] - begun == pytest.approx(0.24, abs=0.08)
    assert report.position[0] == pytest.approx(report.commanded[0], abs=0.03)
    assert max(np.abs(virtual.state()["velocity"])) < 0.05


def test_silence_holds_then_ends_in_the_configured_state(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client("torque_off")
    host.torque_on(1.0)
    sweep(host, 0.3)
    last = time.monotonic()
    wait_for(host, HostState.LAPSED)
    lapsed = time.monotonic() - last
    wait_for(host, HostState.STOPPED)
    stopped = time.monotonic() - last
    assert lapsed < 0.15 and stopped < 0.65
    assert driven(virtual) == [False] * 6
    with pytest.raises(NotMoving, match="stopped"):
        host.torque_on(1.0)


def test_switching_the_torque_on_takes_wall_time(tmp_path: Path) -> None:
    """A hundred requests, however fast the arm's own time runs."""
    with LaunchedArm(tmp_path / "arm", robot="light", time_scale=20) as virtual:
        manifest, robot = read_manifest(str(virtual.link)), described("light", port=str(virtual.link), time_scale=20.0)
        assert manifest is not None
        with closing(open_bus(robot, Clock(20.0))) as bus:
            for joint, register in product(robot.joints, ("position_p", "position_d", "acceleration")):
                insist.write(bus, joint.id, register, 10)
        with closing(HostClient(with_ranges(robot), Path(manifest.calibration))) as host:
            host.torque_on(0.3)
            assert host.report().state is HostState.HOLDING


def test_an_order_that_is_not_carried_out_in_time_says_what_may_still_come(client: MakeClient) -> None:
    with pytest.raises(NotMoving, match="disarmed after 0 s; its torque may still come on: stay clear"):
        client("hold").torque_on(0.3, wait=0.0)


def test_a_stop_is_final(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client("hold")
    host.torque_on(1.0)
    sweep(host, 0.2)
    host.stop()
    wait_for(host, HostState.STOPPED)
    sweep(host, 0.2)
    assert host.report().state is HostState.STOPPED
    assert driven(virtual) == [True] * 6
    assert comes_to_rest(virtual)


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ("dead ids=2", "silent", "shoulder_lift (id 2)"),
        ("brownout", "brown-out", "the servos were reset"),
        ("unplug for=0.2", "disconnected", "disconnected"),
        ("overload ids=5 for=60", "overload", "wrist_roll has given 100 %"),
    ],
)
def test_a_fault_is_told_and_latched(
    virtual: LaunchedArm, client: MakeClient, faults: str, kind: str, words: str
) -> None:
    host = client("hold")
    host.torque_on(1.0)
    virtual.tell(faults)
    fault = wait_for(host, HostState.FAULT).fault
    deadline = time.monotonic() + 2.0
    while fault is not None and fault.kind != kind and time.monotonic() < deadline:
        fault = host.report().fault
    assert fault is not None and fault.kind == kind and words in fault.cause and fault.remedy
    with pytest.raises(NotMoving, match="start again"):
        host.torque_on(1.0)
    begun = time.monotonic()
    host.close()
    assert host._process.returncode == 0 and time.monotonic() - begun < 3.0
    time.sleep(0.3)  # servos that were reset are deaf for a while


def test_what_is_gripped_is_held_when_another_joint_gives_way(virtual: LaunchedArm, client: MakeClient) -> None:
    host = client("hold")
    host.torque_on(1.0)
    values = np.array(host.report().commanded)
    virtual.tell(f"hand ids=6 to={values[5]} for=60")  # stops it as an object would
    for _ in range(20):
        values[5] += 0.015
        host.follow(Command.at_rest(CommandSpace.JOINT_TARGET, values), 0.05)
        time.sleep(0.05)
    assert host.report().fault is None
    virtual.tell("overload ids=5 for=60")
    fault = wait_for(host, HostState.FAULT).fault
    assert fault is not None and "wrist_roll" in fault.cause
    time.sleep(0.2)
    report = host.report()
    assert report.commanded[5] == pytest.approx(values[5], abs=0.01) and report.position[5] < values[5] - 0.1
    assert np.array(report.commanded)[:5] == pytest.approx(np.array(report.position)[:5], abs=0.03)


def test_a_command_of_another_arm_is_a_fault(client: MakeClient) -> None:
    host = client("hold")
    host.torque_on(1.0)
    host.follow(Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(5)), 0.05)
    fault = wait_for(host, HostState.FAULT).fault
    assert fault is not None and fault.kind == "command" and "no motion of 6 joints" in fault.cause


def test_the_death_of_the_host_is_an_error_that_says_so(client: MakeClient) -> None:
    host = client()
    os.kill(host.pid, signal.SIGKILL)
    deadline = time.monotonic() + 3.0
    with pytest.raises(HostDied, match="the arm host has ended"):
        while time.monotonic() < deadline:
            host.report()
            time.sleep(0.01)


ROBOT_PROCESS = """
import sys, time
from pathlib import Path
import numpy as np
from hardware.host.client import HostClient
from hardware.host.json_codec import decode
from porl_robot.command import Command, CommandSpace
begin = decode(sys.stdin.buffer.readline())
host = HostClient(begin.robot, begin.calibration)
host.torque_on(1.0)
start = np.array(host.report().commanded)
begun = time.monotonic()
while True:
    values, velocity = start.copy(), np.zeros(6)
    values[0] += 0.6 * (time.monotonic() - begun + 0.05)
    velocity[0] = 0.6
    host.follow(Command(CommandSpace.JOINT_TARGET, values, velocity, np.zeros(6)), 0.05)
    if time.monotonic() - begun > 0.3:
        print(host.pid, flush=True)
    time.sleep(0.05)
"""


@pytest.mark.parametrize("end_state", ["hold", "torque_off"])
def test_a_killed_robot_process_leaves_the_arm_safe_and_the_port_free(
    virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path, end_state: EndState
) -> None:
    begin = Begin(replace(robot, dead_man=DeadMan(end_state=end_state)), calibration_path, 1)
    process = subprocess.Popen([sys.executable, "-c", ROBOT_PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(encode(begin) + b"\n")
    process.stdin.flush()
    host = int(process.stdout.readline())
    assert abs(virtual.state()["velocity"][0]) > 0.2
    process.kill()
    time.sleep(0.6)
    assert max(np.abs(virtual.state()["velocity"])) < 0.05
    deadline = time.monotonic() + 3.0
    while not port_is_free(robot):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert driven(virtual) == [end_state == "hold"] * 6
    assert not Path(f"/proc/{host}/exe").exists() or "hardware.host" not in Path(f"/proc/{host}/cmdline").read_text()
