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

_KEYS = {"policy": "policy", "critics": "policy", "offline_data": "log"}
_WRITTEN_BY = {"policy": "written by pretrain or finetune", "log": "written by collect or finetune"}
_WITHOUT = {"policy": "method=sac_scratch starts without", "log": "method=porl needs the policy alone"}


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
