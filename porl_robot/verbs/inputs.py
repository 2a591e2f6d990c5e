"""What a verb is given: policies, critics and logs."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError, UserError
from porl_robot.learner.networks_file import CRITICS
from porl_robot.methods.method import Method
from porl_robot.policy.checkpoint import DESCRIPTION as POLICY
from porl_robot.replay.log import LogData, read_log
from porl_robot.replay.verify import require_trainable
from porl_robot.verbs.outputs import log_spec

KEYS = {"policy": "policy", "critics": "policy", "offline_data": "log"}
"""The key under which a method's input is given: a folder."""

_ORIGINS = {"policy": "written by pretrain or finetune", "offline_data": "written by collect or finetune"}


def require_inputs(method: Method, config: DictConfig) -> None:
    """Refuses a method whose inputs were not given; a verb without keys for them makes them itself.

    Raises:
        UsageError: names every missing item, and methods that do without.
    """
    lacking = []
    for item, origin in _ORIGINS.items():
        key = KEYS[item]
        if item in method.requires and key in config and config[key] is None:
            lacking.append(f"{key}=FOLDER ({origin})")
    if "critics" in method.requires and "policy" in config:
        lacking += _lacking_critics(method, config.policy)
    if not lacking:
        return
    without = ["method=porl needs the policy alone"] if set(method.requires) - {"policy"} else []
    if "policy" in method.requires and config.get("policy") is None:
        without.append("method=sac_scratch starts without")
    raise UsageError(f"method={method.name} needs {', and '.join(lacking)}; {', '.join(without)}")


def _lacking_critics(method: Method, policy: str | None) -> list[str]:
    written = f"write both with pretrain method={method.pretraining}"
    if policy is None:
        return [f"critics beside the policy ({written})"]
    folder = Path(policy)
    if (folder / CRITICS).exists() or not (folder / POLICY).exists():
        return []  # what is no policy at all is refused where it is read
    return [f"critics beside the policy, {folder} has none ({CRITICS}: {written})"]


def require_policy_alone(method: Method) -> None:
    """Refuses a method that needs more than a cloned policy.

    Raises:
        UsageError: names what it needs.
    """
    if not {*method.requires} <= {"policy"}:
        raise UsageError(
            f"method={method.name} needs {' and '.join(method.requires)}, demo makes a cloned policy only; "
            "expected a method that needs no more, such as porl"
        )


def training_log(config: DictConfig) -> LogData:
    """The log of `config.log` without discarded episodes, to train on; `require_log_fit` is left to do with the env.

    Raises:
        UserError: it cannot be read, or holds what nothing can be learned from.
    """
    log = read_log(Path(config.log)).kept()
    if not log.episodes:
        raise UserError(f"log {config.log}: holds no episode that was not discarded; expected at least one")
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
