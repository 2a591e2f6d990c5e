"""Measures a policy over seeded episodes, through the safety chain."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import evaluate, start_seeds
from porl_robot.learner.agent_file import load_agent
from porl_robot.policy.spec import require_fit
from porl_robot.seeds import Stream
from porl_robot.verbs.attend import attended
from porl_robot.verbs.build import make_env
from porl_robot.verbs.outputs import new_out, require_new_out, unless_empty
from porl_robot.verbs.teleop import teleoperated
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Evaluates what `config.policy` deploys over `config.episodes` episodes."""
    policy, agent = load_agent(Path(config.policy))
    seeds = start_seeds(config.seed, Stream.EVALUATION_STARTS, config.episodes)
    with closing(make_env(config)) as env:
        require_fit(policy, env, config.policy)
        require_new_out(Path(config.out))
        with teleoperated(config, env) as teleoperator, attended(config, env, teleoperator) as operator:
            out = new_out(config)
            began = time.monotonic()
            line = operator.line if operator else None
            with unless_empty(out), Terminal("evaluate", len(seeds), "episodes", line) as terminal:
                result = evaluate(env, agent, seeds, config.sampled, terminal.advance)
    figures = rate("success", result.success, result.episodes)
    values = {
        "policy": config.policy,
        "env": env.name,
        "seed": config.seed,
        "episodes": result.episodes,
        **figures,
        "assisted": result.assisted,
        "return_mean": result.return_mean,
        "seconds": time.monotonic() - began,
    }
    write_summary("evaluate", out / "summary.json", values)
    helped = f", {result.assisted} episodes with a person's help count as failed" if result.assisted else ""
    terminal.note(f"success {describe(figures)}{helped}, mean return {result.return_mean:.2f}: {out}")
    return 0


def describe(figures: dict[str, float | None]) -> str:
    """A success rate with its interval, in words."""
    success, low, high = figures.values()
    if success is None:
        return "undefined for this task"
    return f"{success:.3f} (95 % interval {low:.3f} to {high:.3f})"
