"""From a config to the things it names."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from porl_robot.env import Demonstrator, RobotEnv
from porl_robot.errors import UsageError, UserError
from porl_robot.files import replace_file
from porl_robot.learner.learner import LearnerConfig
from porl_robot.learner.networks_file import CRITICS
from porl_robot.methods.method import Method
from porl_robot.paths import data_dir
from porl_robot.policy.checkpoint import DESCRIPTION as POLICY
from porl_robot.policy.checkpoint import load_policy
from porl_robot.policy.cloning import CloningConfig
from porl_robot.policy.curriculum import CurriculumConfig
from porl_robot.policy.importing.declaration import Declaration, Network
from porl_robot.replay.log import LogData, log_info, read_log, require_trainable
from porl_robot.replay.record import LogSpec
from porl_robot.verbs.compose import CONFIG_NAME
from porl_robot.verbs.kinds import require_kinds

ACTOR_HIDDEN = (128, 128)
"""Widths of a random actor's hidden layers, those of cloning."""

_KEYS = {"policy": "policy", "critics": "policy", "offline_data": "log"}
_WRITTEN_BY = {"policy": "written by pretrain or finetune", "log": "written by collect or finetune"}
_WITHOUT = {"policy": "method=sac_scratch starts without", "log": "method=porl needs the policy alone"}
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


def check(config: DictConfig) -> None:
    """Tries whatever is read or made of `config` before anything moves, the env excepted.

    Raises:
        UserError: as the verb itself would.
    """
    if "env" not in config:
        made(config.robot, "robot")
        return
    inputs: tuple[str, ...] = ("policy", "log")
    if "learner" in config:
        make_learner_config(config)
    if "policy" in config and "method" in config:
        method = make_method(config)
        require_inputs(method, config)
        inputs = tuple(_KEYS[item] for item in method.requires)
    elif "source" in config:
        make_declaration(config)
    elif "log" in config:
        make_pretraining(config)
    if "skill" in config:
        require_demonstrator(config)
    require_robot(config)
    if inputs != ("log",):
        require_port(config)
        require_teleop(config)
    if "policy" in inputs and config.get("policy"):
        load_policy(Path(config.policy))
    if "log" in inputs and config.get("log"):
        log_info(Path(config.log))


def require_inputs(method: Method, config: DictConfig) -> None:
    """Refuses a method whose inputs were not given; a verb without keys for them makes them itself.

    Raises:
        UsageError: names the missing item and a method that does without.
    """
    for item in method.requires:
        key = _KEYS[item]
        if key in config and config[key] is None:
            raise UsageError(f"method={method.name} needs {key}=FOLDER ({_WRITTEN_BY[key]}); {_WITHOUT[key]}")
    if "critics" in method.requires and "policy" in config:
        folder = Path(config.policy)
        if not (folder / CRITICS).exists() and (folder / POLICY).exists():
            raise UsageError(
                f"method={method.name} needs critics beside the policy, {folder} has none ({CRITICS}): write both with "
                f"pretrain method={method.pretraining}, or take method=porl, which needs the policy alone"
            )


def make_env(config: DictConfig) -> RobotEnv:
    """The env of `config.env`, or that of `config.teleop` where a person moves the arm itself.

    Raises:
        UsageError: it refuses its arguments; see also `require_robot`, `require_port` and `require_teleop`.
    """
    require_robot(config)
    require_port(config)
    require_teleop(config)
    env: RobotEnv = made((config.get("teleop") or {}).get("adapter", config.env.adapter), "env.adapter")
    return env


def make_simulation(config: DictConfig) -> RobotEnv:
    """The env of `config.env`, or the twin of one that moves a real arm.

    Raises:
        UsageError: it refuses its arguments; see also `require_robot`.
    """
    require_robot(config)
    env: RobotEnv = made(config.env.get("twin", config.env.adapter), "env.adapter")
    return env


def require_robot(config: DictConfig) -> None:
    """Holds the arm against the task.

    Raises:
        UsageError: an arm was given to a task without one, or a value of it is refused.
    """
    if "robot" in config.env.adapter:
        made(config.robot, "robot")
    elif config.robot is not None:
        raise UsageError(
            f"robot={config.robot.name}: env={config.env.name} has no arm on a bus; serial_reach and serial_twin have"
        )


def require_port(config: DictConfig) -> None:
    """Refuses a task that moves a real arm without knowing where it is.

    Raises:
        UsageError: names the key and the task that needs none.
    """
    if "twin" in config.env and config.robot.port is None:
        raise UsageError(
            f"robot.port=... is missing: env={config.env.name} moves a real arm; expected robot={config.robot.name} "
            "robot.port=DEVICE (porl-robot scan finds it), or env=serial_twin, which needs none"
        )


def require_teleop(config: DictConfig) -> None:
    """Refuses a person without an arm to move, or without a place in the verb.

    Raises:
        UsageError: names the key and what would be accepted.
    """
    teleop = config.get("teleop")
    if teleop is None:
        return
    if "twin" not in config.env:
        raise UsageError(f"teleop={teleop.name}: env={config.env.name} has no arm on a bus to move; serial_reach has")
    if "adapter" in teleop:
        if "policy" in config:
            raise UsageError(f"teleop={teleop.name}: only collect takes it; expected leader, which takes over")
    elif teleop.port is None:
        raise UsageError(
            f"teleop.port=... is missing: teleop={teleop.name} reads a second arm; expected its serial device "
            "(porl-robot scan finds it)"
        )


def make_demonstrator(config: DictConfig, env: RobotEnv) -> Demonstrator:
    """The scripted expert of `config.env` with the knobs of `config.skill`; see `require_demonstrator`.

    Raises:
        UsageError: a knob is refused.
    """
    skills = OmegaConf.to_container(config.env.skills)
    assert isinstance(skills, dict)
    skill = skills[config.skill]
    require_kinds({"_target_": config.env.demonstrator._target_, **skill}, f"env.skills.{config.skill}")
    demonstrator: Demonstrator = made(config.env.demonstrator, "env.demonstrator", env=env, **skill)
    return demonstrator


def require_demonstrator(config: DictConfig) -> None:
    """Refuses an env without a scripted expert, or one without the skill that `config` names, where it names one.

    Raises:
        UsageError: names the envs, or the skills, that there are.
    """
    if config.env.demonstrator is None:
        paths = sorted((data_dir("configs") / "env").glob("*.yaml"))
        able = [path.stem for path in paths if OmegaConf.load(path).demonstrator is not None]
        raise UsageError(f"env={config.env.name}: has no scripted demonstrator; there is one for {', '.join(able)}")
    skill = config.get("skill")
    if skill is not None and skill not in config.env.skills:
        raise UsageError(f"skill={skill}: expected {' or '.join(map(str, config.env.skills))}")


def make_method(config: DictConfig) -> Method:
    """The fine-tuning method of `config.method`.

    Raises:
        UsageError: the group's choice is no fine-tuning method, or a part refuses its values.
    """
    method = made(config.method, "method")
    if not isinstance(method, Method):
        raise UsageError("method: this one pre-trains; expected a fine-tuning method such as porl")
    return method


def make_pretraining(config: DictConfig) -> CloningConfig | CurriculumConfig | Method:
    """The pre-training method of `config.method`.

    Raises:
        UsageError: the group's choice does not pre-train, or refuses its values.
    """
    method = made(config.method, "method")
    if isinstance(method, Method) and method.offline_updates is None:
        paths = sorted((data_dir("configs") / "method").glob("*.yaml"))
        able = [path.stem for path in paths if "offline_updates:" in path.read_text()]
        raise UsageError(f"method={method.name}: only fine-tunes; pretrain accepts bc, coil, {', '.join(able)}")
    assert isinstance(method, CloningConfig | CurriculumConfig | Method)
    return method


def make_declaration(config: DictConfig) -> Declaration:
    """What is said of the policy that `config.source` names.

    Raises:
        UsageError: a value is refused, or two of them contradict each other.
    """
    given = OmegaConf.to_container(config)
    assert isinstance(given, dict)
    try:
        network = Network(**{each.name: given[each.name] for each in fields(Network)})
        rest = {each.name: given[each.name] for each in fields(Declaration) if each.name != "network"}
        return Declaration(**rest, network=network)
    except ValueError as error:
        raise UsageError(str(error)) from error


def make_learner_config(config: DictConfig) -> LearnerConfig:
    """Sizes and pace of the learner; sets torch's threads.

    Raises:
        UsageError: a value is out of range, or the device is not there.
    """
    learner: LearnerConfig = made(config.learner, "learner")
    if learner.device not in _devices():
        raise UsageError(f"learner.device={learner.device}: is not here; expected {' or '.join(_devices())}")
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


def training_log(config: DictConfig) -> LogData:
    """The log of `config.log` without discarded episodes, to train on; `require_log_fit` is left to do with the env.

    Raises:
        UserError: it cannot be read, or holds what nothing can be learned from.
    """
    log = read_log(Path(config.log)).kept()
    require_trainable(log)
    return log


def require_log_fit(log: LogData, env: RobotEnv) -> None:
    """Refuses a log of another task.

    Raises:
        UserError: names what differs.
    """
    own = log_spec(env)
    for name in ("env", "observation_size", "action_size", "control_hz"):
        if getattr(log.spec, name) != getattr(own, name):
            raise UserError(
                f"log {log.path}: its {name.replace('_', ' ')} is {getattr(log.spec, name)}, {env.name} has "
                f"{getattr(own, name)}; give a log of {env.name}"
            )


def made(config: DictConfig, where: str, **arguments: Any) -> Any:
    """What a config with `_target_` describes.

    Raises:
        UsageError: a value is refused; the message begins with `where`.
    """
    node = OmegaConf.to_container(config, resolve=True)
    assert isinstance(node, dict)
    require_kinds({str(key): value for key, value in node.items()}, where)
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        if isinstance(cause, ValueError | TypeError):
            reason = str(cause).split("\n", 1)[0]
            raise UsageError(reason if reason.startswith(f"{where}.") else f"{where}: {reason}") from error
        raise


def _devices() -> list[str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
