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
from porl_robot.control.rollout import Choice, episode, to_record
from porl_robot.env import Demonstrator, FloatArray, RobotEnv
from porl_robot.replay.record import Phase, Source
from porl_robot.replay.writer import LogWriter
from porl_robot.seeds import Stream
from porl_robot.verbs.build import log_spec, make_demonstrator, make_env, new_out, require_demonstrator
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Collects `config.episodes` episodes."""
    began = time.monotonic()
    require_demonstrator(config)
    with closing(make_env(config)) as env:
        demonstrator = make_demonstrator(config, env)
        out = new_out(config)
        recorded = _record(config, env, demonstrator, out)
    summary = {"env": env.name, "skill": config.skill, "seed": config.seed, "episodes": config.episodes, **recorded}
    write_summary("collect", out / "summary.json", {**summary, "wall_s": time.monotonic() - began})
    print(f"{config.episodes} episodes, {recorded['steps']} steps, success {recorded['success']}: {out}")
    return 0


def _record(config: DictConfig, env: RobotEnv, demonstrator: Demonstrator, out: Path) -> dict[str, Any]:
    """Writes the log; returns what the summary says of the episodes."""
    rng = np.random.default_rng(config.seed)
    interventions: Counter[str] = Counter()
    successes, returns, steps = 0, 0.0, 0

    def choose(observation: FloatArray) -> Choice:
        return Choice(demonstrator.act(), float("nan"), Source.GUIDE, 0)

    with LogWriter.create(out, log_spec(env)) as log, Terminal("collect", config.episodes, "episodes") as terminal:
        for index, seed in enumerate(start_seeds(config.seed, Stream.TRAINING_STARTS, config.episodes)):
            for frame, step in enumerate(episode(env, choose, seed, lambda: demonstrator.begin(rng))):
                log.append(to_record(step, index, frame, Phase.COLLECT))
                interventions.update(i.filter for i in step.step.verdict.interventions)
                returns += step.reward
                steps += 1
            successes += step.step.success is True
            terminal.progress(index + 1, success=successes / (index + 1))
    return {
        "steps": steps,
        **rate("success", successes / config.episodes if env.has_success else None, config.episodes),
        "return_mean": returns / config.episodes,
        "length_mean": steps / config.episodes,
        "interventions": dict(interventions),
    }
