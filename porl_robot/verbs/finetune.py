"""Fine-tunes a policy by acting: frozen pre-sample, critic fit, then a background learner while it acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from porl_robot.analysis.report import read_metrics, write_report
from porl_robot.analysis.statistics import learning_curve_metrics
from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.checkpoints import newest_checkpoint, restore_learner
from porl_robot.control.curve import RunConfig
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.finetune import FineTuning
from porl_robot.control.metrics import FILE as METRICS_FILE
from porl_robot.control.metrics import MetricsLog
from porl_robot.control.run_state import RunState
from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError
from porl_robot.learner.agent_file import BEHAVIOUR, save_agent
from porl_robot.learner.learner import Learner
from porl_robot.learner.networks_file import load_networks
from porl_robot.methods.critics import widths
from porl_robot.methods.explorers import GuideThenLearner
from porl_robot.methods.method import Method
from porl_robot.methods.networks import Networks
from porl_robot.methods.schedules import Performance
from porl_robot.policy.checkpoint import load_policy
from porl_robot.policy.network import random_policy, with_constant_std
from porl_robot.policy.spec import Policy, PolicySpec, require_fit
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.replay.log import read_log
from porl_robot.replay.repair import repair_log
from porl_robot.replay.writer import LogError, LogWriter
from porl_robot.seeds import Stream, derive
from porl_robot.uninterrupted import uninterrupted
from porl_robot.verbs.attend import attended
from porl_robot.verbs.build import ACTOR_HIDDEN, make_env, make_learner_config, make_method
from porl_robot.verbs.inputs import require_inputs, require_log_fit, training_log
from porl_robot.verbs.outputs import log_spec, new_out, require_new_out, save_config
from porl_robot.verbs.teleop import teleoperated
from porl_robot.verbs.terminal import Terminal

FINAL_EPISODES = 200
"""Of the final figure where they cost no robot's time."""


def run(config: DictConfig) -> int:
    """Runs to `config.steps`, or to the reason why not."""
    with ExitStack() as ending:
        return _run(config, ending)


def _run(config: DictConfig, ending: ExitStack) -> int:
    learner_config = make_learner_config(config)
    method, given = _method_and_policy(config)
    found = load_networks(Path(config.policy), given) if given and "critics" in method.requires else None
    offline = training_log(config) if "offline_data" in method.requires else None
    if config.resume is None:
        require_new_out(Path(config.out))
    with ExitStack() as opened:
        env = opened.enter_context(closing(make_env(config)))
        # There is one arm: it is evaluated between its training episodes.
        evaluation_env = env if env.real_time else opened.enter_context(closing(make_env(config)))
        _require_judgement(method, env)
        if given is not None:
            require_fit(given, env, config.policy)
        if offline is not None:
            require_log_fit(offline, env)
        spaces = int(env.observation_space.shape[0]), int(env.action_space.shape[0])
        buffer = ReplayBuffer(config.steps, *spaces, learner_config.device, offline)
        start = starting_policy(method, given, env, config.seed, buffer)
        learner = Learner(method, learner_config, start, buffer, env.reward_bounds, config.seed, given, found)
        # Once nobody attends to signals any more, they wait until everything is written.
        opened.callback(lambda: ending.enter_context(uninterrupted()))
        operator = opened.enter_context(attended(config, env, opened.enter_context(teleoperated(config, env))))
        if config.resume is None:
            out, state, missed = new_out(config), RunState(), 0
            log = opened.enter_context(LogWriter.create(out, log_spec(env)))
        else:
            out = Path(config.resume)
            state, missed = resume(out, learner)
            log = opened.enter_context(LogWriter.reopen(out, log_spec(env)))
            save_config(config, out)
        title = f"finetune {env.name} {method.name}"
        line = operator.line if operator else None
        terminal = opened.enter_context(Terminal(title, config.steps, "steps", line))
        for note in _notes(config, method, found):
            terminal.note(note)
        metrics = opened.enter_context(MetricsLog(out))
        run_config = _sizes(config, env, out)
        tuning = FineTuning(env, evaluation_env, learner, log, metrics, run_config, state, terminal, missed)
        try:
            final = tuning.run(given)
        except LogError:
            terminal.note(f"to go on once it can be written again: porl-robot finetune resume={out}")
            raise
    summary = summarise(tuning, learner, run_config, final)
    write_summary("finetune", out / "summary.json", summary)
    save_agent(_finetuned(learner.policy(), summary, start), learner, out)
    write_report(out, summary, read_metrics(out / METRICS_FILE))
    for note in _closing_notes(tuning, summary, method.begins_as_given, out):
        terminal.note(note)
    if tuning.interruption is not None:
        raise tuning.interruption  # a sweep ends with the run that was interrupted
    return 0 if tuning.stopped_because is None else 1


def _method_and_policy(config: DictConfig) -> tuple[Method, Policy | None]:
    """The method, suited to the policy that it is given, and that policy."""
    method = make_method(config)
    require_inputs(method, config)
    if "policy" not in method.requires:
        return method, None
    given = load_policy(Path(config.policy))
    own = given.spec.provenance.get("median_std")
    return method.suited_to(own if isinstance(own, float) else None), given


def _notes(config: DictConfig, method: Method, found: Networks | None) -> Iterator[str]:
    """What the user may not expect of this run."""
    for key, item in (("policy", "policy"), ("log", "offline_data")):
        if config[key] is not None and item not in method.requires:
            yield f"{key}={config[key]} is not used by {method.name}"
    if "policy" in method.requires and (Path(config.policy) / BEHAVIOUR).exists():
        yield f"policy={config.policy} holds two policies that act together: only the one that learned is taken"
    if method.actor.initial_std != config.method.actor.initial_std:
        yield (
            f"explores with std {method.actor.initial_std:.2f} instead of {config.method.actor.initial_std:g}: "
            "the policy's training data varied no more"
        )
    if found is not None and widths(found["critics"]) != list(config.learner.hidden):
        yield (
            f"learner.hidden={list(config.learner.hidden)} is not used: the critics of policy={config.policy} are of "
            f"{widths(found['critics'])} units"
        )
    if config.steps <= method.warm_up.steps:
        yield (
            f"steps={config.steps} ends within the pre-sample of {method.warm_up.steps} steps: the actor will not "
            "be updated"
        )


def _require_judgement(method: Method, env: RobotEnv) -> None:
    """Refuses a method that goes by what the task does not say of its episodes.

    Raises:
        UsageError: names it.
    """
    if isinstance(method.explorer, GuideThenLearner) and not env.has_success:
        raise UsageError(f"method={method.name} hands over by success, which {env.name} does not tell; take porl")
    controlled = any(isinstance(schedule, Performance) for schedule in method.actor_loss.schedules.values())
    if controlled and env.reward_bounds is None:
        raise UsageError(
            f"method={method.name} follows returns between the worst and the best, but {env.name} does not tell "
            "its smallest and largest reward; take td3_bc"
        )


def _sizes(config: DictConfig, env: RobotEnv, out: Path) -> RunConfig:
    usual = config.eval_episodes if env.real_time else FINAL_EPISODES
    final_episodes = config.final_episodes or usual
    return RunConfig(config.steps, config.eval_every, config.eval_episodes, final_episodes, config.seed, out)


def _finetuned(policy: Policy, summary: dict[str, Any], start: Policy) -> Policy:
    """The policy with how it came to be."""
    made = {key: summary[key] for key in ("method", "seed", "env", "env_steps", "actor_updates")}
    made |= {key: value for key, value in start.spec.provenance.items() if key == "median_std"}
    return Policy(replace(policy.spec, provenance={**made, "parent": start.hash}), policy.weights)


def starting_policy(method: Method, given: Policy | None, env: RobotEnv, seed: int, buffer: ReplayBuffer) -> Policy:
    """The actor a run begins with: `given`, or a random one that sees observations as `given` or the log does."""
    start = given
    if start is None or method.actor.source == "random":
        spec = PolicySpec(
            env=env.name,
            observation_size=int(env.observation_space.shape[0]),
            action_size=int(env.action_space.shape[0]),
            control_hz=env.control_hz,
            hidden=ACTOR_HIDDEN,
            provenance={"method": "random", "seed": seed},
        )
        observations = buffer.observations() if buffer.offline else None
        start = random_policy(spec, derive(seed, Stream.ACTOR), observations)
        if given is not None:
            seen = {name: given.weights[name] for name in ("observation.mean", "observation.std")}
            start = Policy(spec, {**start.weights, **seen})
    std = method.actor.initial_std
    return start if std is None else with_constant_std(start, std)


def resume(out: Path, learner: Learner) -> tuple[RunState, int]:
    """Puts the last checkpoint and the log back; returns where the run stands and the steps whose updates are missing.

    Raises:
        UserError: there is no checkpoint or no readable log.
    """
    repair_log(out)
    checkpoint = newest_checkpoint(out)
    log = read_log(out)
    if log.rows > learner.buffer.capacity:
        raise UsageError(
            f"steps={learner.buffer.capacity}: {out} has {log.rows} steps already; expected at least those"
        )
    restore_learner(checkpoint, learner)
    learner.buffer.extend(log)
    missed = checkpoint.run.recount(log) + checkpoint.run.owed
    return checkpoint.run, missed


def summarise(
    tuning: FineTuning,
    learner: Learner,
    config: RunConfig,
    final: EvaluationResult | None,
) -> dict[str, Any]:
    """What `summary.json` says; keys as in `porl_robot.analysis.summary`."""
    state, method = tuning.state, learner.method
    start, sampled = state.start or (None, None)
    return {
        "method": method.name,
        "env": tuning.env_name,
        "seed": config.seed,
        "env_steps": state.env_steps,
        "critic_updates": learner.critic_updates,
        "actor_updates": learner.actor_updates,
        "updates_per_step": tuning.gauges.updates_per_step,
        "bc_success": start.success if start else None,
        "bc_success_sampled": sampled.success if sampled else None,
        "bc_return_mean": start.return_mean if start else None,
        "curve": state.curve,
        "unfreeze_step": state.unfreeze_step,
        **learning_curve_metrics(state.curve, state.unfreeze_step),
        **rate("final_success", final.success if final else None, config.final_episodes),
        "final_return_mean": final.return_mean if final else None,
        "interventions": state.interventions,
        "wall_s": state.wall_s,
        "cpu_s": state.cpu_s,
        "cpu_s_eval": state.cpu_s_eval,
        "stopped_because": tuning.stopped_because,
        "initialised": [*(["actor"] if method.actor.source == "random" else []), *learner.initialised],
    }


def _closing_notes(tuning: FineTuning, summary: dict[str, Any], began_as_given: bool, out: Path) -> Iterator[str]:
    yield _closing_line(summary, began_as_given)
    yield f"summary, policy and report: {out}"
    if tuning.state.owed:
        yield f"the updates of the last {tuning.state.owed} steps were not done; the policy lacks them"
    if tuning.interruption is not None:
        yield f"to go on: porl-robot finetune resume={out}"


def _closing_line(summary: dict[str, Any], began_as_given: bool) -> str:
    if summary["stopped_because"]:
        return f"stopped at step {summary['env_steps']}: {summary['stopped_because']}"
    if summary["final_success"] is None:
        start = (
            "" if summary["bc_return_mean"] is None else f"mean return {summary['bc_return_mean']:.1f} at the start, "
        )
        return f"{start}mean return {summary['final_return_mean']:.1f} at the end"
    start = "" if summary["bc_success"] is None else f"{summary['bc_success']:.3f} at the start, "
    low, high = summary["final_success_low"], summary["final_success_high"]
    end = f"success {start}{summary['final_success']:.3f} at the end (95 % interval {low:.3f} to {high:.3f})"
    unchanged = bool(start) and began_as_given and not summary["actor_updates"]
    return f"{end}; the actor was never updated: both are the same policy" if unchanged else end
