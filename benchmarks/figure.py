"""Draws docs/images/learning.png from benchmarks/results/learning.json: success against environment steps."""

from __future__ import annotations

import json

import matplotlib

matplotlib.use("Agg")
from machine import RESULTS, ROOT
from matplotlib import pyplot as plt

COLOURS = {"porl_anchored": "#1b6ca8", "porl": "#d98324", "sac_naive": "#9a9a9a"}
LABELS = {
    "porl_anchored": "PORL, anchored",
    "porl": "PORL",
    "sac_naive": "control: SAC from the same policy",
}


def main() -> None:
    """One panel per task, one line per run, the mean of the starts dashed."""
    runs = json.loads((RESULTS / "learning.json").read_text())["runs"]
    tasks = sorted({run["env"] for run in runs})
    figure, panels = plt.subplots(1, len(tasks), figsize=(4.2 * len(tasks), 3.4), sharey=True, squeeze=False)
    for panel, task in zip(panels[0], tasks, strict=True):
        of_task = [run for run in runs if run["env"] == task]
        for method, colour in COLOURS.items():
            for run in (run for run in of_task if run["method"] == method):
                steps = [point["env_steps"] / 1000 for point in run["curve"]]
                success = [100 * point["success"] for point in run["curve"]]
                panel.plot(steps, success, color=colour, linewidth=1.8, alpha=0.9)
        start = 100 * sum(run["bc_success"] for run in of_task) / len(of_task)
        panel.axhline(start, color="#444444", linewidth=1, linestyle="--")
        panel.set_title(task, fontsize=11)
        panel.set_xlabel("environment steps [thousand]")
        panel.set_ylim(-3, 103)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("success [%]")
    handles = [plt.Line2D([], [], color=COLOURS[method], linewidth=2, label=LABELS[method]) for method in COLOURS]
    handles.append(plt.Line2D([], [], color="#444444", linestyle="--", label="cloned policy at the start"))
    figure.legend(handles=handles, loc="lower center", ncol=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "learning.png", dpi=130)


if __name__ == "__main__":
    main()
