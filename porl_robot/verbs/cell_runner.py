"""Runs the cells of a comparison as processes of this program."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import porl_robot
from porl_robot.verbs.cells import Cell, Step, resumable
from porl_robot.verbs.compose import quoted
from porl_robot.verbs.estimate import Costs, ends

_POLL = 0.1  # [s]
_OUTPUT = "output"


@dataclass(slots=True)
class _Running:
    step: Step
    process: subprocess.Popen[bytes]
    output: Path
    began: float = field(default_factory=time.monotonic)


class CellRunner:
    """Runs every cell that is not finished yet.

    Args:
        cells: in the order in which they are started.
        out: of the comparison; what a command prints is kept in `out/output`.
        jobs: processes at a time.
        budget: seconds of `run` after which no further cell may end, by the estimate; None: no limit.

    Attributes:
        costs: what commands take, as far as is known.
    """

    def __init__(self, cells: Sequence[Cell], out: Path, jobs: int, budget: float | None) -> None:
        self._cells, self._out, self._jobs, self._budget = cells, out, jobs, budget
        self._steps = {step.out: step for cell in cells for step in cell.steps}
        self._running: list[_Running] = []
        self._began = 0.0
        self._admitted: set[Path] = set()
        self._closed = False
        self._done: set[Path] = set()
        self._failed: dict[Path, str] = {}
        self.costs = Costs()
        self._look()

    def run(self, lock: int, told: Callable[[Step, str], None]) -> None:
        """Runs to the end. An interrupt ends the commands that are running, which leave what is needed to go on.

        Args:
            lock: file descriptor that every process inherits.
            told: called with every command that ended, and how.
        """
        self._began = time.monotonic()
        self._look()  # another process may have had the folder until now
        try:
            while self._start_what_can(lock) or self._running:
                time.sleep(_POLL)
                self._collect_ended(told)
        finally:
            self._end_all()

    def outlook(self) -> list[float]:
        """When each open cell will have ended [s from now], without those there is no time for."""
        spent = {each.step.out: time.monotonic() - each.began for each in self._running}
        cells = [cell for cell in self.open() if not self._closed or cell.run.out in self._admitted]
        return ends([self._missing(cell) for cell in cells], self._jobs, self.costs, spent)

    def open(self) -> list[Cell]:
        """The cells that neither finished nor failed."""
        return [cell for cell in self._cells if cell.run.out not in self._done and self.reason(cell) is None]

    def reason(self, cell: Cell) -> str | None:
        """Why `cell` failed; None if it did not."""
        return next((self._failed[step.out] for step in cell.steps if step.out in self._failed), None)

    def _look(self) -> None:
        """Takes note of what finished commands left."""
        for out, step in self._steps.items():
            said = None if out in self._done or out in self._failed else step.summary()
            if said is None:
                continue
            if said.get("stopped_because"):
                self._failed[out] = said["stopped_because"]
            else:
                self._done.add(out)
                self.costs.learn(step, said["wall_s"])

    def _missing(self, cell: Cell) -> list[Step]:
        return [step for step in cell.steps if step.out not in self._done]

    def _start_what_can(self, lock: int) -> bool:
        """Fills the free places; whether anything was started."""
        started = False
        while len(self._running) < self._jobs and (step := self._next()) is not None:
            self._start(step, lock)
            started = True
        return started

    def _next(self) -> Step | None:
        running = {each.step.out for each in self._running}
        for cell in self.open():
            missing = self._missing(cell)
            if missing[0].out not in running and self._admits(cell, missing):
                return missing[0]
        return None

    def _admits(self, cell: Cell, missing: Sequence[Step]) -> bool:
        """Whether `cell` may be begun. After the first one there is no time for, none is."""
        if cell.run.out in self._admitted:
            return True
        end = time.monotonic() - self._began + sum(map(self.costs.seconds, missing))
        self._closed = self._closed or (self._budget is not None and end > self._budget)
        if not self._closed:
            self._admitted.add(cell.run.out)
        return not self._closed

    def _start(self, step: Step, lock: int) -> None:
        overrides: Sequence[str] = step.overrides
        if step.verb == "finetune" and resumable(step.out):
            overrides = [f"resume={quoted(step.out)}"]
        else:
            shutil.rmtree(step.out, ignore_errors=True)
        output = self._out / _OUTPUT / f"{'-'.join(step.out.relative_to(self._out).parts)}.txt"
        output.parent.mkdir(exist_ok=True)
        # -P and the path: the same code as this process runs, whatever lies in the working directory.
        package = str(Path(porl_robot.__file__).parent.parent)
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "porl_robot", step.verb, *overrides],
                env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others once
            )
        self._running.append(_Running(step, process, output))

    def _collect_ended(self, told: Callable[[Step, str], None]) -> None:
        for each in [each for each in self._running if each.process.poll() is not None]:
            self._running.remove(each)
            self._look()
            out = each.step.out
            if out not in self._done:
                self._failed.setdefault(out, _why(each))
            told(each.step, self._failed.get(out, f"done in {time.monotonic() - each.began:.0f} s"))

    def _end_all(self) -> None:
        """Ends what is running, gently at first; a second interrupt kills."""
        try:
            for each in self._running:
                each.process.send_signal(signal.SIGTERM)
            for each in self._running:
                each.process.wait()
        finally:
            for each in self._running:
                each.process.kill()
                each.process.wait()


def _why(ended: _Running) -> str:
    """The reason of a failure in one line."""
    code = ended.process.returncode
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = [line for line in ended.output.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {code}"
    return last.removeprefix(f"porl-robot {ended.step.verb}: ")
