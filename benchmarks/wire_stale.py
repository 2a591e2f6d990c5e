"""Cycles on a line with every kind of fault while the arm moves: is any position that the driver takes an old one?

python benchmarks/wire_stale.py [--protocols feetech dynamixel] [--cycles 20000] [--seed 0]
"""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from arms import ROBOTS, opened, virtual_arm, write_results
from wire_faults import LINES

from hardware.arm.driver import Arm
from hardware.arm.faults import ArmFault
from porl_robot.command import FloatArray
from sim.virtual_arm.launch import LaunchedArm

_MOVED = 4
_AMPLITUDE, _HZ = 0.3, 0.5  # rad, 1/s: up to 0.94 rad/s
_PERIOD = 0.01  # s
_TOLERANCE = 0.007
"""A tick is .0015 rad; a joint that has missed goals catches up at 2 rad/s, and its encoder is 2.5 ms behind it."""


class _Cycles:
    """Leads an arm along a sine, and holds each reading against where its joint was before and after."""

    def __init__(self, virtual: LaunchedArm, arm: Arm) -> None:
        self._virtual, self._arm = virtual, arm
        arm.torque_on(1.0)
        self._rest = arm.goal.copy()
        for _ in range(100):  # a bus that falls silent would trip the watchdogs
            arm.read()
            time.sleep(0.005)
        self._offset = arm.telemetry.position - self._truth()
        self._before = arm.telemetry.position
        self._begun = self._tick = time.monotonic()

    def go_through(self) -> npt.NDArray[np.int64]:
        """One more, at the robot's rate; how many positions were taken, how many of them old, how many told apart."""
        self._tick = max(self._tick + _PERIOD, time.monotonic())
        time.sleep(max(self._tick - time.monotonic(), 0.0))
        since, earlier = self._arm.telemetry.measured.copy(), self._before
        begun = self._truth()
        with contextlib.suppress(ArmFault):
            self._arm.read()
        ended = self._truth()
        with contextlib.suppress(ArmFault):
            self._arm.send(self._goal())
        position, new = self._arm.telemetry.position.copy(), self._arm.telemetry.measured > since
        low = np.minimum(begun, ended) + self._offset - _TOLERANCE
        high = np.maximum(begun, ended) + self._offset + _TOLERANCE
        self._before = position
        old, told_apart = (new & ((each < low) | (each > high)) for each in (position, earlier))
        return np.array([each[:_MOVED].sum() for each in (new, old, told_apart)])

    def _truth(self) -> FloatArray:
        return np.array(self._virtual.state()["position"])

    def _goal(self) -> FloatArray:
        goal = self._rest.copy()
        goal[:_MOVED] += _AMPLITUDE * np.sin(2 * np.pi * _HZ * (time.monotonic() - self._begun))
        return goal


def stale_cycles(protocol: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Old positions accepted in `count` cycles, shared among `LINES`."""
    print(f"\n{protocol:58} {'cycles':>7} {'taken':>7} {'old':>5} {'told apart':>11}")
    rows, per_line = [], count // len(LINES)
    with virtual_arm(protocol, seed=seed) as (virtual, robot), opened(robot) as arm:
        cycles = _Cycles(virtual, arm)
        for line in LINES:
            virtual.tell(line)
            counts = sum((cycles.go_through() for _ in range(per_line)), np.zeros(3, dtype=np.int64))
            virtual.tell("clear")
            taken, old, told_apart = counts.tolist()
            row = {"line": line, "cycles": per_line, "taken": taken, "old": old, "told_apart": told_apart}
            rows.append(row)
            print(f"{line[:58]:58} {per_line:7} {taken:7} {old:5} {100 * told_apart / taken:9.0f} %", flush=True)
    return rows


def main() -> None:
    """Measures all of it and writes `benchmarks/results/wire_stale.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", default=list(ROBOTS), choices=ROBOTS)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("taken: positions of moving joints; told apart: where the position of the cycle before would have been wrong")
    rows = {protocol: stale_cycles(protocol, given.cycles, given.seed) for protocol in given.protocols}
    write_results("wire_stale", given.seed, rows)


if __name__ == "__main__":
    main()
