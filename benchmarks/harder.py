"""Long robosuite tasks from state: a cloned policy alone, success the only reward, no demonstrations in replay.

`porl_anchored` and its control, each in its own folder under --runs: a finished run is not repeated, one that was
stopped goes on from its last checkpoint.

    python benchmarks/harder.py [--tasks robosuite_can ...] [--methods porl_anchored sac_naive] [--seed 607]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from learning import HEADER, Run, Task, execute
from machine import RESULTS, commit, machine

METHODS = ("porl_anchored", "sac_naive")
TASKS = {
    task.env: task
    for task in (
        Task(
            "robosuite_can",
            50_000,
            METHODS,
            ("eval_every=5000", "final_episodes=100"),
            cloning=("steps=4000",),
            resumes=True,
        ),
        Task(
            "robosuite_square",
            100_000,
            METHODS,
            ("eval_every=10000", "final_episodes=100"),
            cloning=("steps=8000",),
            resumes=True,
        ),
        Task("robosuite_door", 20_000, METHODS, ("eval_every=2000", "final_episodes=100"), resumes=True),
    )
}


def main() -> None:
    """Runs everything and writes `benchmarks/results/harder_ENV_SEED.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seed", type=int, default=607)
    parser.add_argument("--runs", type=Path, default=Path("runs/harder"))
    given = parser.parse_args()
    given.runs.mkdir(parents=True, exist_ok=True)
    print(HEADER, flush=True)
    RESULTS.mkdir(exist_ok=True)
    for env in given.tasks:
        results = [execute(Run(TASKS[env], method, given.seed), given.runs) for method in given.methods]
        for result in results:
            curve = " ".join(f"{point['success']:.2f}" for point in result["curve"])
            print(f"{result['env']} {result['method']}, {result['curve'][1]['env_steps']} steps apart: {curve}")
        record = {"commit": commit(), "machine": machine(), "seed": given.seed, "runs": results}
        (RESULTS / f"harder_{env}_{given.seed}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
