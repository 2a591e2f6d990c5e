"""From a config to the things it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from porl_robot.env import Demonstrator, RobotEnv
from porl_robot.errors import UsageError, UserError
from porl_robot.learner.learner import LearnerConfig
from porl_robot.methods.method import Method
from porl_robot.policy.cloning import CloningConfig
from porl_robot.replay.record import LogSpec

_RUN_FILES = ("summary.json", "config.yaml", "log.zarr", "journal", "policy.json")


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
        OmegaConf.save(config, out / "config.yaml")
    except OSError as error:
        raise UsageError(f"out={out}: cannot be written ({error.strerror})") from error
    return out


def make_env(config: DictConfig) -> RobotEnv:
    """The env of `config.env`.

    Raises:
        UsageError: it refuses its arguments.
    """
    env: RobotEnv = made(config.env.adapter, "env")
    return env


def make_demonstrator(config: DictConfig, env: RobotEnv) -> Demonstrator:
    """The scripted expert of `config.env` with the knobs of `config.skill`.

    Raises:
        UsageError: the env has none, or not this skill.
    """
    if config.env.demonstrator is None:
        raise UsageError(f"env={config.env.name}: has no scripted demonstrator")
    skills = OmegaConf.to_container(config.env.skills)
    assert isinstance(skills, dict)
    if config.skill not in skills:
        raise UsageError(f"skill={config.skill}: expected {' or '.join(map(str, skills))}")
    demonstrator: Demonstrator = made(config.env.demonstrator, "env.demonstrator", env=env, **skills[config.skill])
    return demonstrator


def make_method(config: DictConfig) -> Method:
    """The fine-tuning method of `config.method`.

    Raises:
        UsageError: the group's choice is no fine-tuning method, or a part refuses its values.
    """
    method = made(config.method, "method")
    if not isinstance(method, Method):
        raise UsageError("method: this one pre-trains; expected a fine-tuning method such as porl")
    return method


def make_cloning(config: DictConfig) -> CloningConfig:
    """The pre-training method of `config.method`.

    Raises:
        UsageError: the group's choice does not pre-train, or refuses its values.
    """
    cloning = made(config.method, "method")
    if not isinstance(cloning, CloningConfig):
        raise UsageError(f"method={config.method.name}: fine-tunes; pretrain accepts bc")
    return cloning


def make_learner_config(config: DictConfig) -> LearnerConfig:
    """Sizes and pace of the learner; sets torch's threads.

    Raises:
        UsageError: a value is out of range, or the device is not there.
    """
    learner: LearnerConfig = made(config.learner, "learner")
    if learner.device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"learner.device={learner.device}: no CUDA device is visible; expected cpu")
    torch.set_num_threads(learner.threads)
    return learner


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


def require_log_fit(spec: LogSpec, env: RobotEnv, where: str) -> None:
    """Refuses a log of another task.

    Raises:
        UserError: names what differs.
    """
    own = log_spec(env)
    for name in ("env", "observation_size", "action_size", "control_hz"):
        if getattr(spec, name) != getattr(own, name):
            raise UserError(
                f"log {where}: its {name.replace('_', ' ')} is {getattr(spec, name)}, {env.name} has "
                f"{getattr(own, name)}; give a log of {env.name}"
            )


def made(config: DictConfig, where: str, **arguments: Any) -> Any:
    """What a config with `_target_` describes.

    Raises:
        UsageError: a value is refused; the message begins with `where`.
    """
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        if isinstance(cause, ValueError | TypeError):
            raise UsageError(f"{where}: {cause}".split("\n", 1)[0]) from error
        raise
