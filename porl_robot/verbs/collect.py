"""Records demonstrations of a scripted expert into a log. Failed episodes are kept."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import start_seeds
from porl_robot.control.operator import Operator
from porl_robot.control.rollout import Choice, Transition, counted_episodes, episode, to_record
from porl_robot.env import Demonstrator, FloatArray, RobotEnv
from porl_robot.replay.record import Phase, Source
from porl_robot.replay.writer import LogWriter
from porl_robot.seeds import Stream
from porl_robot.verbs.attend import attended
from porl_robot.verbs.build import (
    log_spec,
    make_demonstrator,
    make_env,
    new_out,
    require_demonstrator,
    require_new_out,
)
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Collects `config.episodes` episodes."""
    began = time.monotonic()
    require_demonstrator(config)
    with closing(make_env(config)) as env:
        demonstrator = make_demonstrator(config, env)
        require_new_out(Path(config.out))
        with attended(config, env) as operator:
            out = new_out(config)
            recorded = _record(config, env, demonstrator, out, operator)
    summary = {"env": env.name, "skill": config.skill, "seed": config.seed, **recorded}
    write_summary("collect", out / "summary.json", {**summary, "wall_s": time.monotonic() - began})
    print(f"{recorded['episodes']} episodes, {recorded['steps']} steps, success {recorded['success']}: {out}")
    return 0


def _record(
    config: DictConfig, env: RobotEnv, demonstrator: Demonstrator, out: Path, operator: Operator | None
) -> dict[str, Any]:
    """Writes the log; returns what the summary says of the episodes that count."""
    rng = np.random.default_rng(config.seed)
    interventions: Counter[str] = Counter()
    rewards: list[float] = []
    successes: list[bool] = []

    def choose(observation: FloatArray) -> Choice:
        return Choice(demonstrator.act(), float("nan"), Source.GUIDE, 0)

    def run(seed: int) -> Transition:
        taken: list[Transition] = []
        index = log.episodes
        for frame, transition in enumerate(episode(env, choose, seed, lambda: demonstrator.begin(rng))):
            log.append(to_record(transition, index, frame, Phase.COLLECT))
            taken.append(transition)
        if not transition.step.discarded:
            interventions.update(each.filter for step in taken for each in step.step.verdict.interventions)
            rewards.extend(step.reward for step in taken)
            successes.append(transition.step.success is True)
            terminal.progress(len(successes), success=sum(successes) / len(successes))
        return transition

    seeds = start_seeds(config.seed, Stream.TRAINING_STARTS, config.episodes)
    line = operator.line if operator else None
    with LogWriter.create(out, log_spec(env)) as log, Terminal("collect", len(seeds), "episodes", line) as terminal:
        episodes = counted_episodes(env, seeds, run)
    return {
        "episodes": episodes,
        "steps": len(rewards),
        **rate("success", sum(successes) / episodes if env.has_success else None, episodes),
        "return_mean": sum(rewards) / episodes,
        "length_mean": len(rewards) / episodes,
        "interventions": dict(interventions),
    }
