"""The folder that a verb writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError, UserError
from porl_robot.files import replace_file
from porl_robot.replay.fold import LOG_NAME
from porl_robot.replay.journal import JOURNAL_NAME
from porl_robot.replay.log import log_info
from porl_robot.replay.record import LogSpec
from porl_robot.verbs.compose import CONFIG_NAME

_RUN_FILES = ("summary.json", CONFIG_NAME, "log.zarr", "journal", "policy.json")


def require_new_out(out: Path) -> None:
    """Refuses a folder that holds a run already.

    Raises:
        UsageError: names what it holds.
    """
    held = [name for name in _RUN_FILES if (out / name).exists()]
    if held:
        raise UsageError(f"out={out}: already holds a run ({held[0]}); give a new folder")


def new_out(config: DictConfig) -> Path:
    """The out folder, made, with the resolved config in it.

    Raises:
        UsageError: it holds a run already, or cannot be made.
    """
    out = Path(config.out)
    require_new_out(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_config(config, out)
    except OSError as error:
        raise UsageError(f"out={out}: cannot be written ({error.strerror}); expected a folder or a new name") from error
    return out


@contextmanager
def unless_empty(out: Path) -> Iterator[Path]:
    """Takes what `new_out` and an empty log left in `out` away again, where the block ends by an error before anything
    was kept there: it would be in the way of another attempt."""
    try:
        yield out
    except BaseException:
        with suppress(OSError, UserError):
            if _is_empty(out):
                for name in (LOG_NAME, JOURNAL_NAME):
                    shutil.rmtree(out / name, ignore_errors=True)
                (out / CONFIG_NAME).unlink()
        raise


def _is_empty(out: Path) -> bool:
    held = {each.name for each in out.iterdir()} - {CONFIG_NAME}
    if held != {LOG_NAME, JOURNAL_NAME}:
        return not held
    log = log_info(out)
    return not log.rows and not log.unfinished_rows


def save_config(config: DictConfig, out: Path) -> None:
    """Writes the config into `out`, its inputs as absolute paths: a resumed run may begin in another folder."""
    saved = config.copy()
    if "resume" in saved:
        saved.resume = None
    if "arm" in saved:
        saved.arm = None
    for name in ("policy", "log"):
        if saved.get(name):
            saved[name] = str(Path(saved[name]).absolute())
    replace_file(out / CONFIG_NAME, OmegaConf.to_yaml(saved).encode())


def log_spec(env: RobotEnv) -> LogSpec:
    """What a log of `env` says of itself."""
    return LogSpec(
        env=env.name,
        observation_size=int(env.observation_space.shape[0]),
        action_size=int(env.action_space.shape[0]),
        control_hz=env.control_hz,
        reward_bounds=env.reward_bounds,
        has_success=env.has_success,
        filters=env.safety.names,
    )
