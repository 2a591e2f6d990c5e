"""SIGKILL of the robot process while the arm moves: how soon is it at rest, and is its torque as configured?

The virtual arm tells the truth about itself by its back door. Half of the kills with each end state; where the torque
goes off, the arm has to be at rest before, and sinks after that.

    python benchmarks/kill.py [--kills 50] [--seed 0]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from arms import described, virtual_arm, write_results

from hardware.bus import open_bus
from hardware.clock import Clock
from hardware.description import DeadMan, EndState, RobotDescription
from hardware.errors import HardwareError
from hardware.serial_env import SerialReach
from sim.virtual_arm.launch import LaunchedArm

_BAR = 0.6
_AT_REST = 0.02
_MOVING = 0.3
_END_STATES: tuple[EndState, EndState] = ("hold", "torque_off")


def victim(port: Path, end_state: EndState, seed: int) -> None:
    """Moves the arm until it is killed."""
    env = SerialReach(_robot(port, end_state))
    random = np.random.default_rng(seed)
    while True:
        env.reset(seed=int(random.integers(2**31)))
        direction = random.choice([-1.0, 1.0], 4)
        for step in range(env.horizon):
            _, _, terminated, truncated, _ = env.step(direction * np.sign(np.sin(step / 6 + 0.5)))
            if terminated or truncated:
                break


def kill(virtual: LaunchedArm, end_state: EndState, seed: int) -> dict[str, Any]:
    """One kill of a robot process whose arm moves."""
    random = np.random.default_rng(seed)
    command = [sys.executable, __file__, "--victim", str(virtual.link), "--end-state", end_state, "--seed", str(seed)]
    with subprocess.Popen(command) as process:
        _wait_for_speed(virtual, _MOVING)
        time.sleep(random.uniform(0.0, 2.0))
        speed = _wait_for_speed(virtual, _MOVING)
        process.kill()
    killed = virtual.state()["time"]
    at_rest, let_go = _watch(virtual, killed + 2.0)
    _wait_for_the_port(_robot(virtual.link, end_state))
    driven = virtual.state()["driven"]
    as_configured = all(driven) if end_state == "hold" else not any(driven) and let_go - killed <= _BAR
    return {
        "end_state": end_state,
        "speed": speed,
        "rest_s": at_rest - killed,
        "let_go_s": None if let_go == np.inf else let_go - killed,
        "torque": driven,
        "ok": at_rest - killed <= _BAR and as_configured,
    }


def _robot(port: Path, end_state: EndState) -> RobotDescription:
    return replace(described("feetech", port), dead_man=DeadMan(end_state=end_state))


def _speed(state: dict[str, Any]) -> float:
    return float(np.abs(state["velocity"]).max())


def _wait_for_speed(virtual: LaunchedArm, speed: float) -> float:
    deadline = time.monotonic() + 60.0
    while True:
        state = virtual.state()
        # An arm that was let go sinks: that is no motion of the victim's.
        if all(state["driven"]) and _speed(state) >= speed:
            return _speed(state)
        if time.monotonic() > deadline:
            raise TimeoutError("the arm does not move")
        time.sleep(0.002)


def _watch(virtual: LaunchedArm, until: float) -> tuple[float, float]:
    """When the driven arm began to rest for good, and when its torque went off, in its own time."""
    rest, let_go = np.inf, np.inf
    while (state := virtual.state())["time"] < until:
        if not any(state["driven"]):
            let_go = min(let_go, state["time"])
        elif _speed(state) > _AT_REST:
            rest = np.inf
        else:
            rest = min(rest, state["time"])
        time.sleep(0.002)
    return rest, let_go


def _wait_for_the_port(robot: RobotDescription) -> None:
    """Until the host has ended and freed the port."""
    deadline = time.monotonic() + 10.0
    while True:
        try:
            open_bus(robot, Clock()).close()
            return
        except HardwareError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def main() -> None:
    """Kills, prints a table and writes `benchmarks/results/kill.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victim", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--end-state", choices=_END_STATES, default="hold", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.victim is not None:
        victim(given.victim, given.end_state, given.seed)
    rows = []
    with virtual_arm("feetech") as (virtual, _):
        for k in range(given.kills):
            rows.append(kill(virtual, _END_STATES[k % 2], given.seed + k))
            print(f"{k + 1:3} {_line(rows[-1])}", flush=True)
    rest = 1e3 * np.array([row["rest_s"] for row in rows])
    summary = {
        "kills": len(rows),
        "ok": sum(row["ok"] for row in rows),
        "rest_ms": {"median": float(np.median(rest)), "largest": float(rest.max())},
    }
    print(
        f"{summary['ok']} of {len(rows)} at rest within {1e3 * _BAR:.0f} ms with the torque as configured: median "
        f"{np.median(rest):.0f} ms, largest {rest.max():.0f} ms"
    )
    write_results("kill", given.seed, {**summary, "rows": rows})


def _line(row: dict[str, Any]) -> str:
    torque = "on" if all(row["torque"]) else "mixed"
    if row["let_go_s"] is not None:
        torque = f"off after {1e3 * row['let_go_s']:.0f} ms"
    return (
        f"{row['end_state']:10} moving at {row['speed']:.2f} rad/s, at rest after {1e3 * row['rest_s']:4.0f} ms, "
        f"torque {torque}: {'ok' if row['ok'] else 'FAILED'}"
    )


if __name__ == "__main__":
    main()
