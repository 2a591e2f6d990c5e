"""The driver against the virtual arm: cycle times on a good line, and how late the loops are beside a learner.

Six servos at 1 Mbaud, both protocols. A cycle is telemetry of all servos and goals for all.

    python benchmarks/wire.py [--cycles 2000] [--episodes 20] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from arms import ROBOTS, opened, real_time, virtual_arm, write_results
from wire_lateness import lateness

from hardware.codec import dynamixel, feetech
from hardware.description import RobotDescription
from sim.virtual_arm.launch import LaunchedArm

_BITS_PER_BYTE = 10
_TELEMETRY = {"feetech": (56, 15), "dynamixel": (124, 23)}
"""Address and size of the block that the driver reads."""


def wire_time(robot: RobotDescription) -> float:
    """Seconds that the frames of one cycle take on the wire."""
    ids = [joint.id for joint in robot.joints]
    address, size = _TELEMETRY[robot.protocol]
    if robot.protocol == "feetech":
        frames = [feetech.encode_request(*feetech.sync_read(ids, address, size))]
        frames += [feetech.encode_status(id, 0, bytes(size)) for id in ids]
        frames += [feetech.encode_request(*feetech.sync_write(42, dict.fromkeys(ids, bytes(2))))]
    else:
        frames = [dynamixel.encode_request(*dynamixel.fast_sync_read(ids, address, size))]
        frames += [dynamixel.encode_fast_status([(id, 0, bytes(size)) for id in ids])]
        frames += [dynamixel.encode_request(*dynamixel.sync_write(116, dict.fromkeys(ids, bytes(4))))]
    return _BITS_PER_BYTE * sum(map(len, frames)) / robot.baud


def good_cycles(protocol: str, count: int) -> dict[str, Any]:
    """Cycle times on a good line, held against the wire's."""
    times = np.zeros(count)
    with virtual_arm(protocol) as (virtual, robot), opened(robot) as arm:
        arm.torque_on(1.0)
        goal = arm.goal.copy()
        with _apart_from(virtual), real_time() as granted:
            for k in range(count):
                begun = time.perf_counter()
                arm.read()
                arm.send(goal)
                times[k] = time.perf_counter() - begun
        wire = 1e3 * wire_time(robot)
    p50, p99 = 1e3 * np.percentile(times, (50, 99))
    return {
        "real_time": granted,
        "wire_ms": wire,
        "p50_ms": p50,
        "p99_ms": p99,
        "p50_over_wire": p50 / wire,
    }


@contextmanager
def _apart_from(virtual: LaunchedArm) -> Iterator[None]:
    """Puts the arm on a core of its own, where there are two: servos do not share the driver's."""
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        os.sched_setaffinity(virtual.process.pid, {max(cores)})
        os.sched_setaffinity(0, cores - {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def main() -> None:
    """Measures all of it and writes `benchmarks/results/wire.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=2_000)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{'protocol':10} {'wire ms':>8} {'p50 ms':>8} {'p99 ms':>8} {'p50/wire':>9}   (bar 1.25)")
    good = {}
    for protocol in ROBOTS:
        good[protocol] = found = good_cycles(protocol, given.cycles)
        print(
            f"{protocol:10} {found['wire_ms']:8.3f} {found['p50_ms']:8.3f} {found['p99_ms']:8.3f} "
            f"{found['p50_over_wire']:9.2f}",
            flush=True,
        )
    late = lateness(given.episodes, given.seed)
    measured = {"good_line": good, "lateness": late}
    write_results("wire", given.seed, measured)


if __name__ == "__main__":
    main()
