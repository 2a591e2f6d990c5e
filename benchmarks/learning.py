"""Does fine-tuning work? Demonstrations, cloning and fine-tuning per task, method and seed, printed as a table.

Every seed runs the whole pipeline on its own: its own demonstrations, its own cloned policy, its own run. Seeds 0-99
are for tuning; the default ones here were never tuned on. Finished runs are kept under --runs and not repeated.

    python benchmarks/learning.py [--tasks arm_lift ...] [--seeds 204 205 206] [--jobs 2]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import RESULTS, commit, machine

from porl_robot.analysis.statistics import wilson
from porl_robot.verbs.cells import demonstrations_for, resumable

PROGRAM = Path(sys.executable).parent / "porl-robot"


@dataclass(frozen=True)
class Task:
    """One row of the table: how long, which methods (the goal's own first), and keys of `finetune` beside these.

    Attributes:
        own: further keys of `finetune`, by method. cloning: keys of `pretrain`. collecting: keys of `collect`.
        resumes: a run that was stopped goes on from its last checkpoint; otherwise it is repeated.
    """

    env: str
    steps: int
    methods: tuple[str, ...]
    keys: tuple[str, ...] = ()
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cloning: tuple[str, ...] = ()
    resumes: bool = False
    collecting: tuple[str, ...] = ("skill=degraded",)


TASKS = {
    task.env: task
    for task in (
        Task("arm_reach", 6_000, ("porl", "porl_anchored", "sac_naive")),
        Task("arm_lift", 12_000, ("porl_anchored", "porl", "sac_naive")),
        Task("robosuite_lift", 10_000, ("porl_anchored", "porl", "sac_naive")),
    )
}


@dataclass(frozen=True)
class Run:
    """One fine-tuning run."""

    task: Task
    method: str
    seed: int

    def commands(self, runs: Path) -> Iterator[tuple[Path, list[str]]]:
        """The commands it consists of, each with the folder it writes."""
        env, seed = f"env={self.task.env}", f"seed={self.seed}"
        base = runs / self.task.env / str(self.seed)
        log, policy, out = base / "demonstrations", base / "cloned", base / self.method
        episodes = demonstrations_for(self.task.env)
        yield log, ["collect", env, *self.task.collecting, f"episodes={episodes}", seed, f"out={log}"]
        yield policy, ["pretrain", env, f"log={log}", *self.task.cloning, seed, f"out={policy}"]
        own = self.task.own.get(self.method, ())
        given = [f"method={self.method}", f"steps={self.task.steps}", seed, *self.task.keys, *own]
        yield out, ["finetune", env, f"policy={policy}", *given, f"out={out}"]


def execute(run: Run, runs: Path) -> dict[str, Any]:
    """Runs what is not there yet; returns the summary with the commands that made it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    shown = []
    for folder, arguments in run.commands(runs):
        shown.append("porl-robot " + " ".join(arguments).replace(str(runs), "runs"))
        if (folder / "summary.json").exists():
            continue
        begun = run.task.resumes and resumable(folder)
        if not begun:
            shutil.rmtree(folder, ignore_errors=True)
        command = ["finetune", f"resume={folder}"] if begun else arguments
        with (runs / f"{run.task.env}-{run.method}-{run.seed}.txt").open("a") as output:
            subprocess.run([PROGRAM, *command], env=environment, stdout=output, stderr=output, check=False)
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    print(row(summary), flush=True)
    return {"commands": shown, **summary}


HEADER = (
    f"{'task':15} {'method':14} {'seed':>4}  {'start (95 %)':17} {'worst':>5} {'dip':>5} {'to .90':>6} {'to .95':>6} "
    f"{'last two':>8}  {'final (95 %)':17} {'ms/step':>7}"
)


def row(summary: dict[str, Any]) -> str:
    """One line of the table."""
    curve = summary["curve"]
    start, episodes = summary["bc_success"], curve[0]["episodes"]
    worst = summary["worst_after_unfreeze"]
    dip = None if worst is None else max(0.0, start - worst)
    last = [point["success"] for point in curve[-2:]]
    final, low, high = (summary[f"final_success{end}"] for end in ("", "_low", "_high"))
    judged = "-" if final is None else f"{final:.2f} ({low:.2f}-{high:.2f})"
    return (
        f"{summary['env']:15} {summary['method']:14} {summary['seed']:>4}  {interval(start, episodes):17} "
        f"{number(worst):>5} {number(dip):>5} {summary['steps_to_90'] or '-':>6} {summary['steps_to_95'] or '-':>6} "
        f"{sum(last) / len(last):8.2f}  {judged:17} {1e3 * summary['cpu_s'] / summary['env_steps']:7.2f}"
    )


def number(value: float | None) -> str:
    """Two decimals, or a dash."""
    return "-" if value is None else f"{value:.2f}"


def interval(success: float | None, episodes: int) -> str:
    """A rate with its Wilson interval."""
    if success is None:
        return "-"
    low, high = wilson(success, episodes)
    return f"{success:.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Runs everything and writes `benchmarks/results/learning.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[204, 205, 206])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark"))
    given = parser.parse_args()
    given.runs.mkdir(parents=True, exist_ok=True)
    # One chain per task and seed, so that no two jobs make the same demonstrations.
    chains = [
        [Run(TASKS[name], method, seed) for method in TASKS[name].methods]
        for name in given.tasks
        for seed in given.seeds
    ]
    print(HEADER, flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(lambda chain: [execute(run, given.runs) for run in chain], chains))
    rows = [result for chain in results for result in chain]
    print("\n" + HEADER)
    for summary in sorted(rows, key=lambda r: (list(TASKS).index(r["env"]), r["method"], r["seed"])):
        print(row(summary))
    RESULTS.mkdir(exist_ok=True)
    record = {"commit": commit(), "machine": machine(), "seeds": given.seeds, "runs": rows}
    (RESULTS / "learning.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
