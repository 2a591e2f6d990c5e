"""`-m`: one job per combination of comma-separated values, through Hydra's sweeper and launcher."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from porl_robot.errors import UsageError, UserError
from porl_robot.paths import data_dir
from porl_robot.verbs.build import require_new_out
from porl_robot.verbs.compose import VERSION_BASE, load, parse

_QUIET = ("hydra/job_logging=disabled", "hydra/hydra_logging=disabled", "hydra.output_subdir=null")


def run(verb: str, app: Callable[[DictConfig], int], overrides: list[str]) -> int:
    """Runs the sweep; job k writes `out/k`. Returns the largest exit code of its jobs.

    Raises:
        UsageError: a combination is wrong; nothing was started.
    """
    first, *_ = (load(verb, combination) for combination in combinations(overrides))
    out = Path(first.out)
    require_new_out(out / "0")
    codes = [0]

    @hydra.main(version_base=VERSION_BASE, config_path=str(data_dir("configs")), config_name=verb)
    def job(config: DictConfig) -> int:
        OmegaConf.resolve(config)
        config.out = str(out / str(HydraConfig.get().job.num))
        print(f"--- job {HydraConfig.get().job.num}: {' '.join(HydraConfig.get().overrides.task)}")
        try:
            codes.append(app(config))
        except UserError as error:
            print(f"porl-robot {verb}: {error}", file=sys.stderr)
            codes.append(error.exit_code)
        return codes[-1]

    swept = [o for o in overrides if not o.startswith("out=")]
    sys.argv = [f"porl-robot {verb}", "-m", *swept, *_QUIET, f"hydra.sweep.dir={out}"]
    job()
    return max(codes)


def combinations(overrides: list[str]) -> list[list[str]]:
    """Every single run the sweep consists of, as overrides."""
    choices = []
    for given, parsed in zip(overrides, parse(overrides), strict=True):
        if parsed.is_sweep_override():
            choices.append([f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()])
        else:
            choices.append([given])
    if any(len(choice) == 0 for choice in choices):
        raise UsageError("a sweep over no value")
    return [list(each) for each in product(*choices)]
