"""Records demonstrations of a scripted expert into a log. Failed episodes are kept."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import TRAINING_STARTS, start_seeds
from porl_robot.control.rollout import Choice, episode, to_record
from porl_robot.env import FloatArray
from porl_robot.replay.record import Phase, Source
from porl_robot.replay.writer import LogWriter
from porl_robot.verbs.build import log_spec, make_demonstrator, make_env, new_out
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Collects `config.episodes` episodes."""
    began = time.monotonic()
    env = make_env(config)
    demonstrator = make_demonstrator(config, env)
    out = new_out(config)
    rng = np.random.default_rng(config.seed)
    interventions: Counter[str] = Counter()
    successes, returns, steps = 0, 0.0, 0

    def choose(observation: FloatArray) -> Choice:
        return Choice(demonstrator.act(), float("nan"), Source.GUIDE, 0)

    with LogWriter.create(out, log_spec(env)) as log, Terminal("collect", config.episodes, "episodes") as terminal:
        for index, seed in enumerate(start_seeds(config.seed, TRAINING_STARTS, config.episodes)):
            for frame, step in enumerate(episode(env, choose, seed, lambda: demonstrator.begin(rng))):
                log.append(to_record(step, index, frame, Phase.COLLECT))
                interventions.update(i.filter for i in step.step.verdict.interventions)
                returns += step.reward
                steps += 1
            successes += step.step.success is True
            terminal.progress(index + 1, success=successes / (index + 1))
    env.close()
    success = successes / config.episodes if env.has_success else None
    write_summary(
        "collect",
        out / "summary.json",
        {
            "env": env.name,
            "skill": config.skill,
            "seed": config.seed,
            "episodes": config.episodes,
            "steps": steps,
            **rate("success", success, config.episodes),
            "return_mean": returns / config.episodes,
            "length_mean": steps / config.episodes,
            "interventions": dict(interventions),
            "wall_s": time.monotonic() - began,
        },
    )
    terminal.note(f"{config.episodes} episodes, {steps} steps, success {success}: {out}")
    return 0
