"""What a robot process left in the socket before it died, and a host that stood still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hardware.arm.limits import with_ranges
from hardware.description import DeadMan, RobotDescription
from hardware.host.client import HostClient
from hardware.host.json_codec import encode
from hardware.host.messages import Begin
from hardware.manifest import read_manifest
from porl_robot.command import Command, CommandSpace
from sim.virtual_arm.launch import LaunchedArm

from ...arms import described

DYING = """
import os, signal, sys
from hardware.host.client import HostClient
from hardware.host.json_codec import decode
begin = decode(sys.stdin.buffer.readline())
host = HostClient(begin.robot, begin.calibration)
host.torque_on(1.0)
os.kill(host.pid, signal.SIGSTOP)
host.hold()
print(host.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_last_order_of_a_dead_process_does_not_keep_the_host(
    virtual: LaunchedArm, robot: RobotDescription, calibration_path: Path
) -> None:
    begin = Begin(replace(robot, dead_man=DeadMan(end_state="torque_off")), calibration_path, 1)
    process = subprocess.Popen([sys.executable, "-c", DYING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said, _ = process.communicate(encode(begin) + b"\n", timeout=20.0)
    host = int(said)
    os.kill(host, signal.SIGCONT)
    deadline = time.monotonic() + 3.0
    while any(virtual.state()["driven"]):
        assert time.monotonic() < deadline, "the torque stays on"
        time.sleep(0.02)
    while Path(f"/proc/{host}/cmdline").exists() and b"hardware.host" in Path(f"/proc/{host}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the host lives on"
        time.sleep(0.02)


@pytest.fixture
def dynamixel(tmp_path: Path) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path / "arm", protocol="dynamixel") as arm:
        yield arm


def test_servos_that_their_watchdogs_stopped_during_a_hold_are_told_of(dynamixel: LaunchedArm) -> None:
    manifest = read_manifest(str(dynamixel.link))
    assert manifest is not None
    robot = with_ranges(replace(described("light", port=str(dynamixel.link)), dead_man=DeadMan(end_state="hold")))
    host = HostClient(robot, Path(manifest.calibration))
    try:
        host.torque_on(1.0)
        stands = np.array(host.report().commanded)
        host.follow(Command.at_rest(CommandSpace.JOINT_TARGET, stands), 0.05)
        host.hold()
        time.sleep(0.2)
        os.kill(host.pid, signal.SIGSTOP)
        time.sleep(0.8)
        os.kill(host.pid, signal.SIGCONT)
        deadline = time.monotonic() + 2.0
        while (fault := host.report().fault) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert fault.kind == "host" and "stood still for 0." in fault.cause and "watchdogs" in fault.cause
    finally:
        host.close()
