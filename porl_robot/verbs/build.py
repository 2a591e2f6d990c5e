"""From a config to the things it names."""

from __future__ import annotations

from dataclasses import fields

import torch
from omegaconf import DictConfig, OmegaConf

from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError
from porl_robot.learner.learner import LearnerConfig
from porl_robot.methods.method import Method
from porl_robot.paths import data_dir
from porl_robot.policy.cloning import CloningConfig
from porl_robot.policy.curriculum import CurriculumConfig
from porl_robot.policy.importing.declaration import Declaration, Network
from porl_robot.skill import Demonstrator
from porl_robot.verbs.kinds import require_kinds
from porl_robot.verbs.made import made
from porl_robot.verbs.robots import require_port, require_robot, require_teleop

ACTOR_HIDDEN = (128, 128)
"""Widths of a random actor's hidden layers, those of cloning."""


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


def _devices() -> list[str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
