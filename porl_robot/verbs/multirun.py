"""`-m`: one job per combination of comma-separated values, one after the other."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig

from porl_robot.errors import UsageError, UserError
from porl_robot.supervision import Halted
from porl_robot.verbs.check import check
from porl_robot.verbs.compose import load, parse, quoted
from porl_robot.verbs.outputs import require_new_out
from porl_robot.verbs.schema import PASSED_ON, sweeps


def run(verb: str, app: Callable[[DictConfig], int], overrides: list[str]) -> int:
    """Runs the sweep; job k writes `out/k`. Returns the largest exit code of its jobs.

    Raises:
        UserError: a combination is wrong; nothing was started.
    """
    if verb in PASSED_ON:
        raise UsageError(f"-m: {verb} is a sweep itself; give lists as in seeds=[0,1,2]")
    if not sweeps(verb):
        raise UsageError(f"-m: {verb} is done to one arm at a time; give one value per key")
    sweep = combinations(overrides)
    jobs = [load(verb, combination) for combination in sweep]
    out = Path(jobs[0].out)  # the default holds the time, which goes on
    for number, job in enumerate(jobs):
        job.out = str(out / str(number))
        require_new_out(Path(job.out))
        check(job)
    commands = [_command(verb, combination, job) for combination, job in zip(sweep, jobs, strict=True)]
    code = 0
    for number, (job, combination) in enumerate(zip(jobs, sweep, strict=True)):
        print(f"--- job {number} (of {len(jobs)}): {' '.join(combination)}")
        try:
            code = max(code, app(job))
        except UserError as error:
            print(f"porl-robot {verb}: job {number}: {error}", file=sys.stderr)
            code = max(code, error.exit_code)
            if isinstance(error, Halted):
                _tell(commands[number + 1 :])
                break  # nobody has armed the next one
        except KeyboardInterrupt:
            _tell(commands[number + 1 :])
            raise
    return code


def _command(verb: str, combination: list[str], job: DictConfig) -> str:
    """What runs the job by itself."""
    own = [each for each in combination if not each.startswith("out=")]
    return shlex.join(["porl-robot", verb, *own, f"out={quoted(job.out)}"])


def _tell(commands: list[str]) -> None:
    for command in commands:
        print(f"not begun: {command}")


def combinations(overrides: list[str]) -> list[list[str]]:
    """Every single run the sweep consists of, as overrides.

    Raises:
        UsageError: a key cannot be swept over, or has no value.
    """
    choices = []
    for given, parsed in zip(overrides, parse(overrides), strict=True):
        name = parsed.key_or_group
        if name == "resume":
            raise UsageError(f"{given}: goes on with one run; leave out -m")
        values = [given]
        if parsed.is_sweep_override():
            if name == "out":
                raise UsageError(f"{given}: expected one folder, in which job k writes the folder k")
            try:
                values = [f"{name}={value}" for value in parsed.sweep_string_iterator()]
            except HydraException as error:
                raise UsageError(f"{given}: cannot be swept over; expected values with commas between") from error
        if not values:
            raise UsageError(f"{given}: a sweep over no value")
        choices.append(values)
    return [list(each) for each in product(*choices)]
