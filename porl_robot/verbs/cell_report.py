"""What a comparison leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from porl_robot.analysis.comparison import Entry, improvements, table_rows
from porl_robot.analysis.comparison_report import panels, write_comparison_html, write_comparison_png
from porl_robot.analysis.comparison_table import markdown, table
from porl_robot.analysis.summary import write_summary
from porl_robot.files import replace_file
from porl_robot.verbs.cells import Cell
from porl_robot.verbs.kinds import shown
from porl_robot.verbs.terminal import print_table


def write_comparison(
    config: DictConfig, cells: Sequence[Cell], failed: dict[str, str], left_out: list[str], hours: float, wall_s: float
) -> None:
    """Writes the table, the learning curves and `summary.json` of what is finished, and prints the table.

    Args:
        failed: the reason by the name of the run. left_out: names of the runs that were not made.
        hours: the estimate before the first run. wall_s: what it took [s].
    """
    out, entries = Path(config.out), _entries(cells)
    rows, better = table_rows(entries, config.final_episodes), improvements(entries)
    made = table(rows, better, _notes(config, failed, left_out))
    drawn = panels(entries)
    if drawn:
        write_comparison_png(out / "compare.png", drawn)
    write_comparison_html(out / "compare.html", drawn, made, OmegaConf.to_yaml(config))
    replace_file(out / "table.md", markdown(made).encode())
    values = {name: OmegaConf.to_container(config[name]) for name in ("methods", "envs", "seeds", "overrides")}
    values |= {
        "steps": config.steps,
        "final_episodes": config.final_episodes,
        "rows": [asdict(row) for row in rows],
        "improvements": [asdict(each) for each in better],
        "failed": [f"{name}: {reason}" for name, reason in failed.items()],
        "left_out": left_out,
        "estimated_h": hours,
        "wall_s": wall_s,
    }
    write_summary("compare", out / "summary.json", values)
    print_table(made)


def _entries(cells: Sequence[Cell]) -> list[Entry]:
    """The finished runs, by task and method."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.env, cell.method), []).append(cell)
    found = []
    for (env, method), group in groups.items():
        said = [summary for cell in group if (summary := cell.run.summary()) is not None]
        runs = tuple(summary for summary in said if not summary["stopped_because"])
        found.append(Entry(env, method, group[0].given, runs, len(group)))
    return found


def _notes(config: DictConfig, failed: dict[str, str], left_out: list[str]) -> list[str]:
    overrides = f"; {' '.join(config.overrides)}" if config.overrides else ""
    notes = [
        f"{config.steps:,} steps, seeds {shown(list(config.seeds))}, {config.eval_episodes} episodes per evaluation "
        f"every {config.eval_every:,} steps and {config.final_episodes} at the end{overrides}."
    ]
    if failed or left_out:
        notes.append(f"Runs that failed: {len(failed)}; that were not made: {len(left_out)}.")
    return notes
