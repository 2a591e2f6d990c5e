"""How often would a healthy joint be taken for stuck? Policies learn on the twin of an arm, every bus cycle is judged.

python benchmarks/healthy_joints.py [--seeds 31 ... 38] [--methods porl porl_anchored] [--jobs 2]
"""

from __future__ import annotations

import argparse
import atexit
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from arms import ROBOTS, write_results
from serial_arm import prepare, run, summary

from hardware.arm import stuck
from hardware.arm.telemetry import Telemetry
from hardware.description import JointDescription
from porl_robot.command import FloatArray
from sim.serial_twin import SerialTwin

_JOINTS = 6
_HZ = 100
_SPEEDS = (0.25, 0.3, 0.35, 0.4)
"""From which a joint that comes to stand at once is a fault [rad/s]."""
_KEPT = "PORL_ROBOT_RECORD"


class RecordedTwin(SerialTwin):
    """Keeps position and goal of every bus cycle of its episodes, and a row of NaN where one begins."""

    _playing = False
    _rows: list[FloatArray] | None = None

    def _move_to(self, pose: FloatArray) -> None:
        if self._rows is None:
            self._rows = []
            atexit.register(self._keep)
        self._playing = False
        super()._move_to(pose)
        self._playing = True
        self._rows.append(np.full(2 * _JOINTS, np.nan))

    def _listen(self) -> None:
        super()._listen()
        if self._playing and self._rows is not None:
            self._rows.append(np.concatenate((self._position, self._data.ctrl)))

    def _keep(self) -> None:
        np.save(Path(os.environ[_KEPT]) / f"{id(self)}.npy", np.array(self._rows or []))


def learn(method: str, seed: int, given: argparse.Namespace) -> list[Path]:
    """A run whose twins are recorded, from the seed's cloned policy; the recordings. Kept, and not repeated."""
    base = given.runs / str(seed)
    out, kept = base / method, base / f"{method}-recorded"
    kept.mkdir(exist_ok=True)
    command = ["finetune", "env=serial_twin", f"robot={ROBOTS['feetech']}", f"policy={base / 'cloned'}"]
    command += [f"env.adapter._target_={Path(__file__).stem}.{RecordedTwin.__name__}", f"method={method}"]
    command += [f"steps={given.steps}", f"eval_every={given.steps // 3}", "eval_episodes=30", f"seed={seed}"]
    run([*command, f"out={out}"], out, {_KEPT: str(kept), "PYTHONPATH": str(Path(__file__).parent)})
    summary(out)  # raises where the run failed
    return sorted(kept.glob("*.npy"))


def judged(recording: Path, speed: float) -> list[str]:
    """What a joint that stands is accused of, once an episode at most."""
    joints = [JointDescription(f"joint {k}", k, "", grips=k == _JOINTS - 1) for k in range(_JOINTS)]
    zeros, no_flags = np.zeros(_JOINTS), (frozenset[str](),) * _JOINTS
    accused, skipped = [], False
    with patch.object(stuck, "_MOVING", speed):
        judge = stuck.StuckJoints(joints)
        for cycle, row in enumerate(np.load(recording)):
            if np.isnan(row[0]):
                judge.begin()
                skipped = False
            elif not skipped:
                now = np.full(_JOINTS, cycle / _HZ)
                told = Telemetry(now, now[0], row[:_JOINTS], zeros, zeros, zeros, zeros, zeros, no_flags)
                fault = judge.fault(told, row[_JOINTS:])
                if fault is not None:
                    accused.append(fault.cause)
                    skipped = True
    return accused


def main() -> None:
    """Runs everything, prints a table and writes `benchmarks/results/healthy_joints.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(31, 39)))
    parser.add_argument("--methods", nargs="+", default=["porl", "porl_anchored"])
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/healthy_joints"))
    given = parser.parse_args()
    given.runs = given.runs.resolve()
    for seed in given.seeds:
        prepare(seed, given.runs)
    with ProcessPoolExecutor(given.jobs) as pool:
        runs = [pool.submit(learn, method, seed, given) for seed in given.seeds for method in given.methods]
        recordings = [recording for run in runs for recording in run.result()]
        minutes = sum(len(np.load(recording)) for recording in recordings) / _HZ / 60
        print(f"{minutes:.0f} minutes of healthy joints; faults where a standstill counts from")
        rows: list[dict[str, Any]] = []
        for speed in _SPEEDS:
            found = [cause for each in pool.map(judged, recordings, [speed] * len(recordings)) for cause in each]
            rows.append({"from": speed, "stopped_dead": sum("dead" in cause for cause in found), "faults": found})
            behind = len(found) - rows[-1]["stopped_dead"]
            print(f"{speed:5.2f} rad/s: {rows[-1]['stopped_dead']:3} stopped dead, {behind:3} behind", flush=True)
    write_results("healthy_joints", given.seeds[0], {"minutes": round(minutes, 1), "rows": rows})


if __name__ == "__main__":
    main()
