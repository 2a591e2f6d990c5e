"""Does `porl_anchored` stay above the policy it starts from, and above .85 once it is there?

100 seeded episodes every 500 steps, 20,000 steps, seeds that nothing was tuned on. Finished runs are kept under --runs
and not repeated.

    python benchmarks/anchored.py [--tasks arm_lift robosuite_lift] [--seeds 511 512 513 514 515] [--jobs 2]

Other demonstrations, with the keys of `collect` and a name for the results:

    python benchmarks/anchored.py --tasks robosuite_lift --collecting skill=retrying --name retrying

One setting for every task, the lengths of long tasks:

    python benchmarks/anchored.py --tasks arm_reach arm_lift robosuite_lift --seeds 581 582 583 584 585 \
        --finetuning env.pre_sample=5000 env.anchoring=10000 --name long
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from learning import HEADER, Run, Task, execute
from machine import RESULTS, commit, machine

_KEYS = ("eval_every=500", "eval_episodes=100")
TASKS = ("arm_lift", "robosuite_lift")
_TOLERANCE = 0.05
_FLOOR = 0.85


def judged(summary: dict[str, Any]) -> dict[str, Any]:
    """What the bars ask of one run."""
    curve, reached = summary["curve"], summary["steps_to_95"]
    after = [point["success"] for point in curve if reached is not None and point["env_steps"] >= reached]
    worst = summary["worst_after_unfreeze"]
    return {
        "env": summary["env"],
        "seed": summary["seed"],
        "start": summary["bc_success"],
        "worst": worst,
        "no_dip": worst is not None and worst >= summary["bc_success"] - _TOLERANCE,
        "steps_to_95": reached,
        "lowest_after": min(after, default=None),
        "stays": bool(after) and min(after) >= _FLOOR,
        "final": summary["final_success"],
    }


def _show(env: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{env}: 95 % counted from the first step, the pre-sample included")
    print("seed  start  worst  no dip  to .95  lowest after  stays  final")
    for row in rows:
        lowest = "-" if row["lowest_after"] is None else f"{row['lowest_after']:.2f}"
        no_dip, stays = ("yes" if row[name] else "NO" for name in ("no_dip", "stays"))
        print(
            f"{row['seed']:>4} {row['start']:6.2f} {row['worst']:6.2f} {no_dip:>7} {row['steps_to_95'] or '-':>7} "
            f"{lowest:>13} {stays:>6} {row['final']:6.2f}"
        )
    reached = [row["steps_to_95"] for row in rows if row["steps_to_95"] is not None]
    mean = f"{sum(reached) / len(reached):.0f}" if reached else "-"
    no_dip, stays = (sum(row[name] for row in rows) for name in ("no_dip", "stays"))
    print(f"of {len(rows)}: no dip on {no_dip}; .95 on {len(reached)}, after {mean} steps on average (bar 6000);")
    print(f"never below {_FLOOR} afterwards on {stays}")


def main() -> None:
    """Runs everything and writes `benchmarks/results/anchored.json`, or `anchored_NAME.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=(*TASKS, "arm_push", "arm_reach"))
    parser.add_argument("--collecting", nargs="+", default=["skill=degraded"])
    parser.add_argument("--finetuning", nargs="+", default=[])
    parser.add_argument("--name")
    parser.add_argument("--seeds", nargs="+", type=int, default=[511, 512, 513, 514, 515])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/anchored"))
    given = parser.parse_args()
    name = "anchored" if given.name is None else f"anchored_{given.name}"
    folder = given.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    keys, collecting = (*_KEYS, *given.finetuning), tuple(given.collecting)
    tasks = [Task(env, 20_000, ("porl_anchored",), keys, collecting=collecting) for env in given.tasks]
    runs = [Run(task, "porl_anchored", seed) for task in tasks for seed in given.seeds]
    print(HEADER, flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        summaries = list(pool.map(lambda run: execute(run, folder), runs))
    rows = [judged(summary) for summary in summaries]
    for env in given.tasks:
        _show(env, [row for row in rows if row["env"] == env])
    RESULTS.mkdir(exist_ok=True)
    record = {"commit": commit(), "machine": machine(), "seeds": given.seeds, "judged": rows, "runs": summaries}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
