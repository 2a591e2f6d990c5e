"""Long robosuite tasks from state: a cloned policy alone, success the only reward, no demonstrations in replay.

`porl_anchored` and its control, each in its own folder under --runs: a finished run is not repeated, one that was
stopped goes on from its last checkpoint.

    python benchmarks/harder.py [--tasks robosuite_can ...] [--methods porl_anchored sac_naive] [--seed 607]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learning import HEADER, PROGRAM, row
from machine import RESULTS, commit, machine

from porl_robot.verbs.cells import demonstrations_for


@dataclass(frozen=True)
class Long:
    """One task: how long it is cloned and fine-tuned, and keys of `finetune` by method."""

    env: str
    cloning: int
    steps: int
    every: int
    keys: dict[str, tuple[str, ...]]


TASKS = {
    task.env: task
    for task in (
        Long(
            "robosuite_can",
            4_000,
            50_000,
            5_000,
            {"porl_anchored": ("method.warm_up.steps=5000",), "sac_naive": ()},
        ),
        Long(
            "robosuite_square",
            8_000,
            100_000,
            10_000,
            {
                "porl_anchored": (
                    "method.warm_up.steps=10000",
                    "method.actor.initial_std=0.1",
                    "method.actor_loss.anchor.radius.start=0.05",
                    "method.actor_loss.anchor.radius.end=0.2",
                    "method.actor_loss.anchor.radius.steps=20000",
                ),
                "sac_naive": (),
            },
        ),
    )
}


def execute(task: Long, method: str, seed: int, runs: Path) -> dict[str, Any]:
    """Runs what is not there yet; returns the summary with the commands that made it."""
    env, given = f"env={task.env}", f"seed={seed}"
    base = runs / task.env / str(seed)
    log, policy, out = base / "demonstrations", base / "cloned", base / method
    episodes = demonstrations_for(task.env)
    tuning = [f"method={method}", f"steps={task.steps}", f"eval_every={task.every}", "final_episodes=100", given]
    commands = {
        log: ["collect", env, "skill=degraded", f"episodes={episodes}", given, f"out={log}"],
        policy: ["pretrain", env, f"log={log}", f"steps={task.cloning}", given, f"out={policy}"],
        out: ["finetune", env, f"policy={policy}", *tuning, *task.keys[method], f"out={out}"],
    }
    for folder, arguments in commands.items():
        if not (folder / "summary.json").exists():
            begun = folder == out and (out / "checkpoints").exists()
            _run(["finetune", f"resume={out}"] if begun else arguments, runs / f"{task.env}-{method}-{seed}.txt")
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    print(row(summary), flush=True)
    shown = ["porl-robot " + " ".join(arguments).replace(str(runs), "runs") for arguments in commands.values()]
    return {"commands": shown, **summary}


def _run(arguments: list[str], output: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with output.open("a") as file:
        subprocess.run([PROGRAM, *arguments], env=environment, stdout=file, stderr=file, check=True)


def main() -> None:
    """Runs everything and writes `benchmarks/results/harder.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--methods", nargs="+", default=["porl_anchored", "sac_naive"])
    parser.add_argument("--seed", type=int, default=607)
    parser.add_argument("--runs", type=Path, default=Path("runs/harder"))
    given = parser.parse_args()
    given.runs.mkdir(parents=True, exist_ok=True)
    print(HEADER, flush=True)
    results = [execute(TASKS[env], method, given.seed, given.runs) for env in given.tasks for method in given.methods]
    for result in results:
        curve = " ".join(f"{point['success']:.2f}" for point in result["curve"])
        print(f"{result['env']} {result['method']}, every {TASKS[result['env']].every} steps: {curve}")
    RESULTS.mkdir(exist_ok=True)
    record = {"commit": commit(), "machine": machine(), "seed": given.seed, "runs": results}
    (RESULTS / "harder.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
