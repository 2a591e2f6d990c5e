"""Makes a policy from a log, by cloning or by offline reinforcement learning, and measures it."""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import evaluate, start_seeds
from porl_robot.env import RobotEnv
from porl_robot.errors import UserError
from porl_robot.learner.learner import Learner, LearnerConfig
from porl_robot.learner.networks_file import save_networks
from porl_robot.methods.method import Method
from porl_robot.policy.checkpoint import save_policy
from porl_robot.policy.cloning import Cloned, CloningConfig, clone
from porl_robot.policy.curriculum import CurriculumConfig, clone_by_curriculum
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import median_std, random_policy
from porl_robot.policy.spec import Policy, PolicySpec
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.replay.log import LogData
from porl_robot.seeds import Stream, derive
from porl_robot.verbs.build import ACTOR_HIDDEN, make_learner_config, make_pretraining, make_simulation
from porl_robot.verbs.inputs import require_log_fit, training_log
from porl_robot.verbs.outputs import new_out, unless_empty
from porl_robot.verbs.terminal import Terminal

_ASSESS_EPISODES = 20
_PROGRESS_EVERY = 250


def run(config: DictConfig) -> int:
    """Trains and evaluates."""
    began = time.monotonic()
    method = make_pretraining(config)
    learner_config = make_learner_config(config)
    log = training_log(config)
    if log.episodes < 2:
        raise UserError(f"log {config.log}: holds {log.episodes} episodes, pre-training needs 2")
    with ExitStack() as kept, closing(make_simulation(config)) as env:
        require_log_fit(log, env)
        out = kept.enter_context(unless_empty(new_out(config)))
        if "twin" in config.env:
            print(f"no arm is moved: success is that on the MuJoCo twin of {config.robot.name}")
        if isinstance(method, Method):
            trained = _by_reinforcement(config, method, learner_config, log, env, out)
        elif isinstance(method, CurriculumConfig):
            trained = _by_curriculum(config, method, log, env)
        else:
            trained = _by_cloning(config, method, log)
        policy = _described(trained.policy, log)
        save_policy(policy, out)
        measured = _measured(config, policy, env)
    values = {
        "env": log.spec.env,
        "seed": config.seed,
        "method": trained.policy.spec.provenance["method"],
        "log": config.log,
        "steps": trained.steps,
        "kept_step": trained.kept_step,
        "train_loss": trained.train_loss,
        "validation_loss": trained.validation_loss,
        "episodes": config.eval_episodes,
        "policy_hash": trained.policy.hash,
        "wall_s": time.monotonic() - began,
    }
    write_summary("pretrain", out / "summary.json", values | measured)
    print(f"success {measured['success']} by its mode, {measured['success_sampled']} sampled: {out}")
    return 0


def log_hash(log: LogData) -> str:
    """SHA-256 over what a policy is trained on."""
    digest = hashlib.sha256()
    for array in (log.observation, log.action, log.reward, log.episode_ends):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _spec(config: DictConfig, log: LogData, method: str, hidden: tuple[int, ...]) -> PolicySpec:
    provenance: dict[str, Any] = {"method": method, "seed": config.seed}
    return PolicySpec(
        env=log.spec.env,
        observation_size=log.spec.observation_size,
        action_size=log.spec.action_size,
        control_hz=log.spec.control_hz,
        hidden=hidden,
        provenance=provenance | {"log": log_hash(log), "episodes": log.episodes},
    )


def _described(policy: Policy, log: LogData) -> Policy:
    """The policy, with how much the log varied around it."""
    varied = {"median_std": median_std(policy, log.observation)}
    return replace(policy, spec=replace(policy.spec, provenance=policy.spec.provenance | varied))


def _by_cloning(config: DictConfig, cloning: CloningConfig, log: LogData) -> Cloned:
    spec, steps = _spec(config, log, "bc", tuple(cloning.hidden)), config.steps or cloning.steps
    with Terminal("pretrain", steps, "steps") as terminal:
        cloned = clone(
            log.observation,
            log.action,
            log.episode_ends,
            spec,
            cloning,
            steps,
            config.seed,
            progress=lambda step, train, validation: terminal.progress(step, train=train, validation=validation),
        )
        terminal.note(f"cloned in {cloned.steps} steps, kept the policy of step {cloned.kept_step}")
    return cloned


def _by_curriculum(config: DictConfig, curriculum: CurriculumConfig, log: LogData, env: RobotEnv) -> Cloned:
    spec = _spec(config, log, "coil", tuple(curriculum.hidden))
    seeds = start_seeds(config.seed, Stream.TRAINING_STARTS, _ASSESS_EPISODES)

    def assess(policy: Policy) -> float:
        result = evaluate(env, PolicyRunner(policy), seeds)
        return result.return_mean if result.success is None else result.success

    with Terminal("pretrain", log.episodes, "episodes") as terminal:
        cloned = clone_by_curriculum(
            log.observation,
            log.action,
            log.reward,
            log.episode_ends,
            spec,
            curriculum,
            config.seed,
            assess,
            progress=lambda step, loss, left: terminal.progress(log.episodes - left, train=loss),
            limit=config.steps,
        )
        terminal.note(f"cloned in {cloned.steps} steps, kept the policy of step {cloned.kept_step}")
    return cloned


def _by_reinforcement(
    config: DictConfig, method: Method, learner_config: LearnerConfig, log: LogData, env: RobotEnv, out: Path
) -> Cloned:
    """Trains actor and critics on the log alone, and saves the critics."""
    spec = _spec(config, log, method.name, ACTOR_HIDDEN)
    buffer = ReplayBuffer(0, spec.observation_size, spec.action_size, learner_config.device, offline=log)
    policy = random_policy(spec, derive(config.seed, Stream.ACTOR), buffer.observations())
    learner = Learner(method, learner_config, policy, buffer, env.reward_bounds, config.seed)
    steps = config.steps or method.offline_updates
    assert steps is not None
    with Terminal(f"pretrain {method.name}", steps, "updates") as terminal:
        metrics = {}
        for step in range(1, steps + 1):
            metrics = learner.offline_block()
            if step % _PROGRESS_EVERY == 0:
                shown = {name: value.item() for name, value in metrics.items()}
                terminal.progress(step, **{name.replace("_", " "): value for name, value in shown.items()})
        terminal.note(f"{steps} updates of actor and critics")
    save_networks(learner, out)
    return Cloned(learner.policy(), steps, steps, metrics["critic_loss"].item(), float("nan"))


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
