"""Cycles on a line with every kind of fault: is any value that the driver takes not the servo's?

python benchmarks/wire_faults.py [--protocols feetech dynamixel] [--cycles 100000] [--seed 0]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from arms import ROBOTS, opened, virtual_arm, write_results

from hardware.arm.driver import Arm
from hardware.arm.faults import ArmFault, FaultKind
from hardware.arm.telemetry import Telemetry

LINES = (
    "flip p=0.1",
    "drop p=0.1",
    "late p=0.1 by=0.02",
    "truncate p=0.1",
    "double p=0.1",
    "split p=0.1",
    "echo",
    "flip p=0.02; drop p=0.02; late p=0.02 by=0.02; truncate p=0.02; double p=0.02; split p=0.02; echo",
)
_FIELDS = {"position": 0.0016, "velocity": 0.0016, "load": 1e-3, "voltage": 0.11, "temperature": 1.01, "current": 1e-2}
"""What is compared with the arm at rest, and by how much a count may flicker."""
_EXAMPLES = 10


def faulty_cycles(protocol: str, count: int, seed: int) -> dict[str, Any]:
    """Wrong values accepted in `count` cycles, shared among `LINES`, on an arm that lies still without torque."""
    print(f"\n{protocol:58} {'cycles':>7} {'failed':>7} {'retries':>8} {'checksum':>9} {'wrong':>6} {'ms':>6}")
    rows = []
    with virtual_arm(protocol, seed=seed) as (virtual, robot), opened(robot) as arm:
        truth = arm.telemetry
        for line in LINES:
            virtual.tell(line)
            row = {"line": line, **_cycles(arm, truth, count // len(LINES))}
            virtual.tell("clear")
            time.sleep(0.1)
            rows.append(row)
            print(
                f"{line[:58]:58} {row['cycles']:7} {row['failed']:7} {row['retries']:8} {row['checksum_errors']:9} "
                f"{row['wrong']:6} {row['p50_ms']:6.1f}",
                flush=True,
            )
    wrong = sum(row["wrong"] for row in rows)
    print(f"{'':58} {sum(row['cycles'] for row in rows):7} {'wrong values accepted (bar 0):':>33} {wrong:6}")
    return {"wrong": wrong, "rows": rows}


def _cycles(arm: Arm, truth: Telemetry, count: int) -> dict[str, Any]:
    retries, checksums = arm.statistics.retries, arm.statistics.checksum_errors
    implausible, wrong, failed = arm.implausible, 0, 0
    examples: list[dict[str, Any]] = []
    times = np.zeros(count)
    for k in range(count):
        begun = time.perf_counter()
        try:
            failed += not arm.read()
        except ArmFault as error:
            assert error.fault.kind in (FaultKind.SILENT, FaultKind.IMPLAUSIBLE), error
            failed += 1
        times[k] = time.perf_counter() - begun
        found = _wrong(arm.telemetry, truth)
        wrong += sum(map(len, found.values()))
        if found and len(examples) < _EXAMPLES:
            examples.append({"cycle": k, **found})
    return {
        "cycles": count,
        "failed": failed,
        "retries": arm.statistics.retries - retries,
        "checksum_errors": arm.statistics.checksum_errors - checksums,
        "implausible": arm.implausible - implausible,
        "wrong": wrong,
        "examples": examples,
        "p50_ms": 1e3 * float(np.median(times)),
    }


def _wrong(found: Telemetry, truth: Telemetry) -> dict[str, list[tuple[int, Any]]]:
    """Joint and value of all that is not the servos', by field."""
    wrong: dict[str, list[tuple[int, Any]]] = {}
    for name, flicker in _FIELDS.items():
        values = getattr(found, name)
        for joint in np.flatnonzero(np.abs(values - getattr(truth, name)) > flicker):
            wrong.setdefault(name, []).append((int(joint), float(values[joint])))
    for joint, flags in enumerate(found.flags):
        if flags:
            wrong.setdefault("flags", []).append((joint, sorted(flags)))
    return wrong


def main() -> None:
    """Measures all of it and writes `benchmarks/results/wire_faults_SEED.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", default=list(ROBOTS), choices=ROBOTS)
    parser.add_argument("--cycles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    measured = {protocol: faulty_cycles(protocol, given.cycles, given.seed) for protocol in given.protocols}
    write_results(f"wire_faults_{given.seed}", given.seed, measured)


if __name__ == "__main__":
    main()
