"""What a virtual arm costs, how near it keeps to the wire's time, and how exactly it holds a pose.

Run it on an idle machine. Prints a table and writes `results/virtual_arm.json`.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import serial
from hydra.utils import instantiate
from machine import RESULTS, commit, machine
from omegaconf import OmegaConf

from hardware.calibration import load_calibration
from hardware.codec import dynamixel, feetech
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.calibration import serial_of
from sim.virtual_arm.eprom import calibrated
from sim.virtual_arm.launch import LaunchedArm

IDS = range(1, 7)
HZ = 100
SECONDS = 10.0
CASES = (("feetech", 1.0), ("dynamixel", 1.0), ("feetech", 10.0), ("dynamixel", 10.0))
POSES = 40


def cycle(protocol: str) -> tuple[bytes, bytes, int]:
    """Goals, telemetry request, and bytes of its answer."""
    if protocol == "feetech":
        goals = feetech.encode_request(*feetech.sync_write(42, dict.fromkeys(IDS, b"\x00\x08")))
        return goals, feetech.encode_request(*feetech.sync_read(IDS, 56, 15)), 6 * 21
    goals = dynamixel.encode_request(*dynamixel.sync_write(116, dict.fromkeys(IDS, b"\x00\x08\x00\x00")))
    return goals, dynamixel.encode_request(*dynamixel.sync_read(IDS, 126, 10)), 6 * 21


def processor_time(pid: int) -> float:
    """Seconds of processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(protocol: str, scale: float) -> dict[str, Any]:
    """Shares of a core, and the time of a cycle beside the wire's."""
    goals, request, size = cycle(protocol)
    with (
        tempfile.TemporaryDirectory() as folder,
        LaunchedArm(Path(folder) / "port", protocol=protocol, time_scale=scale) as arm,
        serial.Serial(str(arm.link), 1_000_000, timeout=2.0) as port,
    ):
        pid, took = arm.process.pid, []
        time.sleep(1.0)
        idle = processor_time(pid)
        time.sleep(SECONDS)
        idle = processor_time(pid) - idle
        begun, busy = time.perf_counter(), processor_time(pid)
        for number in range(round(SECONDS * HZ * scale)):
            at = time.perf_counter()
            port.write(goals + request)
            if len(port.read(size)) < size:
                raise RuntimeError("an answer is missing")
            took.append(time.perf_counter() - at)
            time.sleep(max(0.0, begun + (number + 1) / HZ / scale - time.perf_counter()))
        busy = (processor_time(pid) - busy) / (time.perf_counter() - begun)
    wire = (len(goals) + len(request) + size) * 10 / 1_000_000 / scale
    middle, most = np.percentile(took, (50, 99))
    return {
        "protocol": protocol,
        "time_scale": scale,
        "cpu_idle": idle / SECONDS,
        "cpu_100_hz": busy,
        "wire_ms": 1e3 * wire,
        "cycle_p50_ms": 1e3 * middle,
        "cycle_p99_ms": 1e3 * most,
    }


def steady(name: str) -> dict[str, Any]:
    """Largest error of each joint [ticks] at rest, over random poses of the workspace, under the shipped gains."""
    robot = instantiate(OmegaConf.load(data_dir("configs") / "robot" / f"{name}.yaml"))
    known = load_calibration(data_dir("calibration") / f"{serial_of(robot)}.json")
    workspace = ArmKinematics(robot.model).workspace
    random = np.random.default_rng(0)
    errors = []
    for _ in range(POSES):
        arm = VirtualArm(robot, known, calibrated(robot, known), save=lambda: None)
        pose = random.uniform(*workspace)
        goals = [joint.ticks(angle) for joint, angle in zip(known.joints.values(), pose, strict=True)]
        for servo, goal in zip(arm.servos, goals, strict=True):
            servo.memory["goal_position"] = goal
            servo.memory["torque_enable"] = 1
            servo.drive.reload()
        arm.advance(3.0)
        errors.append([abs(servo.drive.present() - goal) for servo, goal in zip(arm.servos, goals, strict=True)])
    return {"robot": name, "largest_error_ticks": dict(zip(robot.names, np.max(errors, 0).tolist(), strict=True))}


def main() -> None:
    print("protocol   scale  CPU idle  at 100 Hz   wire ms  cycle p50  p50/wire   p99")
    costs = []
    for protocol, scale in CASES:
        found = cost(protocol, scale)
        costs.append(found)
        print(
            f"{protocol:9} {scale:6.0f} {found['cpu_idle']:8.1%} {found['cpu_100_hz']:9.1%} {found['wire_ms']:10.3f} "
            f"{found['cycle_p50_ms']:9.3f} {found['cycle_p50_ms'] / found['wire_ms']:9.2f} {found['cycle_p99_ms']:7.2f}"
        )
    held = [steady(name) for name in ("so101", "light")]
    for found in held:
        print(f"{found['robot']}: steady error at most {found['largest_error_ticks']} ticks over {POSES} poses")
    content = {"commit": commit(), "machine": machine(), "cost": costs, "steady": held}
    (RESULTS / "virtual_arm.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
