"""Does fine-tuning work over the wire? Twin demonstrations, cloning, fine-tuning on the virtual arm in real time.

Every seed has its own demonstrations and its own cloned policy, every run a virtual arm of its own. What is judged in
the end is the policy a run has saved, on fresh starts and goals, over the wire again. Finished runs are kept under
--runs and not repeated.

    python benchmarks/serial_arm.py [--seeds 402 403 404] [--methods porl porl_anchored] [--jobs 2]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from arms import write_results
from learning import PROGRAM, interval, number

from sim.virtual_arm.launch import LaunchedArm

_ROBOT = ["robot=so101"]
_LIMIT = 15 * 60.0
_BAR = 0.95


def execute(method: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Runs what is not there yet; returns what a row needs, with the commands."""
    base = given.runs / str(seed)
    out, judged = base / method, base / f"{method}-judged"
    with LaunchedArm(base / f"{method}-arm", protocol="feetech", seed=seed) as virtual:
        on_arm = ["env=serial_reach", *_ROBOT, f"robot.port={virtual.link}"]
        tune = ["finetune", *on_arm, f"policy={base / 'cloned'}", f"method={method}", f"steps={given.steps}"]
        tune += [f"eval_every={given.steps // 2}", f"eval_episodes={given.evaluated}", f"seed={seed}", f"out={out}"]
        tune += given.finetuning
        judge = ["evaluate", *on_arm, f"policy={out}", f"episodes={given.episodes}", f"seed={seed + 1}"]
        judge += [f"out={judged}"]
        run(tune, out)
        tuned = summary(out)
        if tuned["stopped_because"] is None:
            run(judge, judged)
    found = {
        "method": method,
        "seed": seed,
        "commands": [_shown(command, given.runs) for command in (tune, judge)],
        "start": tuned["bc_success"],
        "evaluated": given.evaluated,
        "curve": tuned["curve"],
        "worst_after_unfreeze": tuned["worst_after_unfreeze"],
        "env_steps": tuned["env_steps"],
        "wall_s": tuned["wall_s"],
        "stopped_because": tuned["stopped_because"],
        "final": None if tuned["stopped_because"] else summary(judged)["success"],
        "episodes": given.episodes,
    }
    print(_row(found), flush=True)
    return found


def prepare(seed: int, runs: Path) -> None:
    """Demonstrations on the twin and a policy cloned from them."""
    base = runs / str(seed)
    base.mkdir(parents=True, exist_ok=True)
    log, policy = base / "demonstrations", base / "cloned"
    collect = ["collect", "env=serial_twin", *_ROBOT, "skill=degraded", "episodes=80", f"seed={seed}", f"out={log}"]
    pretrain = ["pretrain", "env=serial_reach", *_ROBOT, f"log={log}", f"seed={seed}", f"out={policy}"]
    run(collect, log)
    run(pretrain, policy)


def run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    """A verb that writes to `folder`, on one thread, unless it has ended well there; `variables` of its environment."""
    if (folder / "summary.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **(variables or {})}
    with folder.with_suffix(".txt").open("a") as output:
        subprocess.run(
            [PROGRAM, *command], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )


def summary(folder: Path) -> dict[str, Any]:
    """What a verb has written to `folder` in the end."""
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return read


def _shown(command: list[str], runs: Path) -> str:
    return "porl-robot " + " ".join(command).replace(str(runs), "runs")


HEADER = f"{'method':14} {'seed':>4}  {'start (95 %)':17} {'worst':>5}  {'judged (95 %)':17} {'minutes':>7}  {'bar':4}"


def _row(found: dict[str, Any]) -> str:
    reached = found["final"] is not None and found["final"] >= _BAR and found["wall_s"] <= _LIMIT
    return (
        f"{found['method']:14} {found['seed']:>4}  {interval(found['start'], found['evaluated']):17} "
        f"{number(found['worst_after_unfreeze']):>5}  {interval(found['final'], found['episodes']):17} "
        f"{found['wall_s'] / 60:7.1f}  {'ok' if reached else found['stopped_because'] or 'MISS'}"
    )


def _pairs(given: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for seed in given.seeds:
        for method in given.methods:
            yield method, seed


def main() -> None:
    """Runs everything and writes `benchmarks/results/serial_arm.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[402, 403, 404])
    parser.add_argument("--methods", nargs="+", default=["porl", "porl_anchored"])
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--evaluated", type=int, default=30, help="episodes per evaluation of a run")
    parser.add_argument("--episodes", type=int, default=100, help="in which the tuned policy is judged")
    parser.add_argument("--finetuning", nargs="+", default=[], help="settings of finetune")
    parser.add_argument("--name", help="after serial_arm_, for the results of a part")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/serial_arm"))
    given = parser.parse_args()
    for seed in given.seeds:
        prepare(seed, given.runs)
    print(f"bar: judged at .95 or more after at most {_LIMIT / 60:.0f} minutes, measurements and resets included")
    print(HEADER, flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(lambda pair: execute(*pair, given), _pairs(given)))
    name = "serial_arm" if given.name is None else f"serial_arm_{given.name}"
    write_results(name, given.seeds[0], {"seeds": given.seeds, "runs": rows})


if __name__ == "__main__":
    main()
