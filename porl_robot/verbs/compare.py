"""Compares methods on tasks over seeds: demonstrations, pre-training and fine-tuning, and one table. Resumes."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from omegaconf import DictConfig

from porl_robot.errors import UsageError
from porl_robot.verbs.cell_report import write_comparison
from porl_robot.verbs.cell_runner import CellRunner
from porl_robot.verbs.cells import Step, plan, require_same
from porl_robot.verbs.outputs import save_config
from porl_robot.verbs.terminal import Terminal

_LOCK = "compare.lock"
_HOUR = 3600.0


def run(config: DictConfig) -> int:
    """Runs what is missing and prints the table; 1 if a run failed."""
    began = time.monotonic()
    out, budget = Path(config.out), _budget(config)
    _require_own(out)
    cells = plan(config)
    for cell in cells:
        require_same(cell.run)
    runner = CellRunner(cells, out, config.jobs, budget)
    estimated = _announce(runner, config, len(cells))
    terminal = Terminal("compare", len(cells), "runs")

    def ended() -> int:
        return len(cells) - len(runner.open())

    def told(step: Step, outcome: str) -> None:
        said = step.summary() or {}
        rate = said.get("final_success", said.get("success"))
        success = "" if rate is None else f", success {rate:.2f}"
        left = f"{max(runner.outlook(), default=0.0) / _HOUR:.2f} h left"
        terminal.note(f"{step.out.relative_to(out)}: {outcome}{success}; {left}")
        terminal.progress(ended())

    with _claimed(config) as lock:
        try:
            with terminal:
                terminal.progress(ended())
                runner.run(lock, told)
        finally:  # an interrupt leaves the table of what is finished
            failed = {str(cell): reason for cell in cells if (reason := runner.reason(cell)) is not None}
            left_out = [str(cell) for cell in runner.open()]
            write_comparison(config, cells, failed, left_out, estimated, time.monotonic() - began)
    for name, reason in failed.items():
        print(f"porl-robot compare: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _announce(runner: CellRunner, config: DictConfig, cells: int) -> float:
    """Prints how long the rest will take, and what the budget leaves out; returns the hours.

    Raises:
        UsageError: there is no time for anything, and nothing is finished.
    """
    missing, when, finished = runner.open(), runner.outlook(), runner.costs.runs
    hours = max(when, default=0.0) / _HOUR
    basis = f"{finished} finished runs" if finished else "stored costs of the small preset"
    if config.budget is not None and hours > config.budget:
        fitting = len(list(takewhile(lambda end: end <= config.budget * _HOUR, when)))
        if not fitting and not finished:
            raise UsageError(f"budget={config.budget:g}: the first run needs about {when[0] / _HOUR:.3f} h; give more")
        budget = f"; time for {fitting} in {config.budget:g} h, from {missing[fitting]} on they are left out"
    else:
        budget = ""
    print(f"{len(missing)} of {cells} runs to go, about {hours:.2f} h (from {basis}){budget}", flush=True)
    return hours


def _budget(config: DictConfig) -> float | None:
    """Seconds."""
    if config.budget is not None and config.budget <= 0.0:
        raise UsageError(f"budget={config.budget:g}: expected hours above 0, or null")
    return None if config.budget is None else config.budget * _HOUR


def _require_own(out: Path) -> None:
    """Refuses a folder that holds something else."""
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if held and _LOCK not in held:
        raise UsageError(f"out={out}: holds {held[0]} and no comparison; give a new folder or that of a comparison")


@contextmanager
def _claimed(config: DictConfig) -> Iterator[int]:
    """The out folder, for this process and those it starts; as long as one of them lives, no other may have it."""
    out = Path(config.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"out={out}: cannot be written ({error.strerror}); expected a folder or a new name") from error
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"out={out}: another comparison is running in it; wait for it or end it") from error
        save_config(config, out)
        yield lock
