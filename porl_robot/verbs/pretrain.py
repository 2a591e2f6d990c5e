"""Clones a policy from a log and measures it, by its mode and by sampled actions."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from pathlib import Path

from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import evaluate, start_seeds
from porl_robot.env import RobotEnv
from porl_robot.errors import UserError
from porl_robot.policy.checkpoint import save_policy
from porl_robot.policy.cloning import Cloned, CloningConfig, clone
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.spec import Policy, PolicySpec
from porl_robot.replay.log import LogData, read_log, require_finite
from porl_robot.seeds import Stream
from porl_robot.verbs.build import make_cloning, make_env, new_out, require_log_fit
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Clones and evaluates."""
    began = time.monotonic()
    cloning = make_cloning(config)
    log = read_log(Path(config.log))
    require_finite(log)
    if log.episodes < 2:
        raise UserError(f"log {config.log}: holds {log.episodes} episodes, cloning needs 2 (one is held out)")
    with closing(make_env(config)) as env:
        require_log_fit(log.spec, env, config.log)
        out = new_out(config)
        cloned = _cloned(config, cloning, log, out)
        measured = _measured(config, cloned.policy, env)
    values = {
        "env": log.spec.env,
        "seed": config.seed,
        "method": "bc",
        "log": config.log,
        "steps": cloned.steps,
        "kept_step": cloned.kept_step,
        "train_loss": cloned.train_loss,
        "validation_loss": cloned.validation_loss,
        "episodes": config.eval_episodes,
        "policy_hash": cloned.policy.hash,
        "wall_s": time.monotonic() - began,
    }
    write_summary("pretrain", out / "summary.json", values | measured)
    print(f"success {measured['success']} by its mode, {measured['success_sampled']} sampled: {out}")
    return 0


def log_hash(log: LogData) -> str:
    """SHA-256 over what a policy is cloned from."""
    digest = hashlib.sha256()
    for array in (log.observation, log.action, log.episode_ends):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _cloned(config: DictConfig, cloning: CloningConfig, log: LogData, out: Path) -> Cloned:
    """Clones and saves the policy."""
    spec = PolicySpec(
        env=log.spec.env,
        observation_size=log.spec.observation_size,
        action_size=log.spec.action_size,
        control_hz=log.spec.control_hz,
        hidden=tuple(cloning.hidden),
        provenance={"method": "bc", "seed": config.seed, "log": log_hash(log), "episodes": log.episodes},
    )
    with Terminal("pretrain", config.steps, "steps") as terminal:
        cloned = clone(
            log.observation,
            log.action,
            log.episode_ends,
            spec,
            cloning,
            config.steps,
            config.seed,
            progress=lambda step, train, validation: terminal.progress(step, train=train, validation=validation),
        )
        save_policy(cloned.policy, out)
        terminal.note(f"cloned in {cloned.steps} steps, kept the policy of step {cloned.kept_step}")
    return cloned


def _measured(config: DictConfig, policy: Policy, env: RobotEnv) -> dict[str, float | None]:
    """Success by the policy's mode and by sampled actions, on the same starts."""
    runner = PolicyRunner(policy)
    seeds = start_seeds(config.seed, Stream.EVALUATION_STARTS, config.eval_episodes)
    values: dict[str, float | None] = {}
    for name, sampled in (("success", False), ("success_sampled", True)):
        with Terminal(f"evaluate {name}", len(seeds), "episodes") as terminal:
            result = evaluate(env, runner, seeds, sampled, progress=terminal.advance)
        values |= rate(name, result.success, result.episodes)
    return values
