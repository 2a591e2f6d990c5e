"""Trying a config before anything moves."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from porl_robot.policy.checkpoint import load_policy
from porl_robot.replay.log import log_info
from porl_robot.verbs.build import (
    make_declaration,
    make_learner_config,
    make_method,
    make_pretraining,
    require_demonstrator,
)
from porl_robot.verbs.inputs import KEYS, require_inputs, require_policy_alone
from porl_robot.verbs.made import made
from porl_robot.verbs.robots import require_port, require_robot, require_teleop


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
        inputs = tuple(KEYS[item] for item in method.requires)
    elif "source" in config:
        make_declaration(config)
    elif "log" in config:
        make_pretraining(config)
    elif "method" in config:
        require_policy_alone(make_method(config))
    if "skill" in config:
        require_demonstrator(config)
    require_robot(config)
    if "policy" in config or "log" not in config or "source" in config:  # pretrain measures on the twin
        require_port(config)
        require_teleop(config)
    if "policy" in inputs and config.get("policy"):
        load_policy(Path(config.policy))
    if "log" in inputs and config.get("log"):
        log_info(Path(config.log))
