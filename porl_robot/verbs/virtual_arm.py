"""Is an arm that is not there: servos with their real wire protocol on a pseudo-terminal, MuJoCo behind them.

Ctrl-C or SIGTERM ends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from porl_robot.errors import UsageError
from porl_robot.paths import data_dir
from porl_robot.verbs.made import made

_SERVE = "sim.virtual_arm.serve.serve"
_ROBOTS = {"feetech": "so101", "dynamixel": "light"}

_KEYS = {
    "link": "symbolic link to make: the port that clients open",
    "protocol": "feetech (default; six STS3215) or dynamixel (six XL330-M288)",
    "robot": "another arm: a name in configs/robot, or a YAML file like those",
    "time_scale": "arm seconds per wall second (default 1)",
    "faults": "what goes wrong, as in 'drop p=0.1; unplug at=5 for=2', or a YAML file; see docs/virtual_arm.md",
    "seed": "of the faults' chances (default 0)",
    "eprom": "file in which the servos remember, or factory for new servos (default: a file beside the link)",
    "backlash": "play between what every servo aims at and its shaft [rad] (default 0)",
}


def run(arguments: list[str]) -> int:
    """Serves until it is told to stop."""
    if "-h" in arguments or "--help" in arguments:
        lines = [f"  {key:12} {what}" for key, what in _KEYS.items()]
        print("\n".join(["porl-robot virtual-arm link=PATH [key=value] ...", "", __doc__ or "", *lines]))
        return 0
    given = _parsed(arguments)
    if "link" not in given:
        raise UsageError(f"link=... is missing; expected the {_KEYS['link']}")
    time_scale = _number(given, "time_scale", 1.0)
    if not time_scale > 0.0 or math.isinf(time_scale):
        raise UsageError(f"time_scale={given['time_scale']}: expected a number above 0")
    backlash = _number(given, "backlash", 0.0)
    if not backlash >= 0.0 or math.isinf(backlash):
        raise UsageError(f"backlash={given['backlash']}: expected a number of at least 0 [rad]")
    serve: Callable[..., None] = get_method(_SERVE)
    serve(
        robot=made(_robot(given), "robot"),
        link=given["link"],
        time_scale=time_scale,
        faults=given.get("faults", ""),
        seed=_seed(given),
        eprom=given.get("eprom", ""),
        backlash=backlash,
        announce=partial(print, flush=True),
    )
    return 0


def _parsed(arguments: list[str]) -> Mapping[str, str]:
    given = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in _KEYS:
            raise UsageError(f"{argument}: unknown key {key}; there are {', '.join(_KEYS)}")
        if not value:
            raise UsageError(f"{argument}: expected {key}=..., the {_KEYS[key]}")
        given[key] = value
    return given


def _number(given: Mapping[str, str], key: str, default: float) -> float:
    try:
        return float(given.get(key, default))
    except ValueError:
        raise UsageError(f"{key}={given[key]}: expected a number") from None


def _seed(given: Mapping[str, str]) -> int:
    try:
        return int(given.get("seed", "0"))
    except ValueError:
        raise UsageError(f"seed={given['seed']}: expected a whole number") from None


def _robot(given: Mapping[str, str]) -> DictConfig:
    protocol = given.get("protocol", "feetech")
    if protocol not in _ROBOTS:
        raise UsageError(f"protocol={protocol}: expected {' or '.join(_ROBOTS)}")
    name = given.get("robot", _ROBOTS[protocol])
    folder = data_dir("configs") / "robot"
    path = next((each for each in (folder / f"{name}.yaml", Path(name)) if each.is_file()), None)
    if path is None:
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise UsageError(f"robot={name}: no such arm and no such file; there are {known}")
    try:
        config = OmegaConf.load(path)
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UsageError(f"robot={name}: {path} cannot be read ({str(error).splitlines()[0]})") from error
    if not isinstance(config, DictConfig) or "_target_" not in config:
        raise UsageError(f"robot={name}: {path} describes no arm; expected one like {folder / 'so101.yaml'}")
    if "protocol" in given and config.get("protocol") != protocol:
        raise UsageError(f"robot={name}: speaks {config.get('protocol')}, not protocol={protocol}")
    return config
