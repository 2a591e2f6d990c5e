"""Records demonstrations of a scripted expert, or of a person, into a log. Failed episodes are kept.

With teleop=leader teleop.port=DEVICE a person moves a second arm and this one follows; with teleop=kinesthetic a person
moves this arm itself, which has no torque then. docs/operator.md tells how.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.command import FloatArray
from porl_robot.control.evaluation import start_seeds
from porl_robot.control.operator import Operator
from porl_robot.control.rollout import Choice, Transition, counted_episodes, episode, to_record
from porl_robot.env import RobotEnv
from porl_robot.replay.record import Phase, Source
from porl_robot.replay.writer import LogWriter
from porl_robot.seeds import Stream
from porl_robot.supervision import Halted
from porl_robot.verbs.attend import attended
from porl_robot.verbs.build import make_demonstrator, make_env, require_demonstrator
from porl_robot.verbs.outputs import log_spec, new_out, require_new_out, unless_empty
from porl_robot.verbs.teleop import teleoperated
from porl_robot.verbs.terminal import Terminal


def run(config: DictConfig) -> int:
    """Collects `config.episodes` episodes."""
    began = time.monotonic()
    led = config.teleop is not None
    if not led:
        require_demonstrator(config)
    with ExitStack() as opened:
        env = opened.enter_context(closing(make_env(config)))
        teleoperator = opened.enter_context(teleoperated(config, env))
        guide = _standing_still(env) if led else _scripted(config, env)
        require_new_out(Path(config.out))
        operator = opened.enter_context(attended(config, env, teleoperator, led))
        out = opened.enter_context(unless_empty(new_out(config)))
        kept = _Kept()
        try:
            _record(config, env, guide, out, operator, kept)
        except (KeyboardInterrupt, Halted):
            if kept.successes:  # no summary: whoever goes by that takes the run for finished
                print(f"{len(kept.successes)} episodes were kept: log={out}")
            raise
    _conclude(config, env, out, kept, began)
    return 0


@dataclass(slots=True)
class _Kept:
    """What the episodes that count came to."""

    interventions: Counter[str] = field(default_factory=Counter)
    rewards: list[float] = field(default_factory=list)
    successes: list[bool] = field(default_factory=list)


def _conclude(config: DictConfig, env: RobotEnv, out: Path, kept: _Kept, began: float) -> None:
    led = config.teleop is not None
    episodes = len(kept.successes)
    summary = {
        "env": env.name,
        "skill": None if led else config.skill,
        "teleop": config.teleop.name if led else None,
        "seed": config.seed,
        "episodes": episodes,
        "steps": len(kept.rewards),
        **rate("success", sum(kept.successes) / episodes if env.has_success else None, episodes),
        "return_mean": sum(kept.rewards) / episodes,
        "length_mean": len(kept.rewards) / episodes,
        "interventions": dict(kept.interventions),
        "wall_s": time.monotonic() - began,
    }
    write_summary("collect", out / "summary.json", summary)
    print(f"{episodes} episodes, {summary['steps']} steps, success {summary['success']}: {out}")


@dataclass(frozen=True, slots=True)
class _Guide:
    """Who shows what to do. `begin` is called when an episode has begun."""

    choose: Callable[[FloatArray], Choice]
    begin: Callable[[], None]


def _scripted(config: DictConfig, env: RobotEnv) -> _Guide:
    demonstrator, rng = make_demonstrator(config, env), np.random.default_rng(config.seed)

    def choose(observation: FloatArray) -> Choice:
        return Choice(demonstrator.act(), float("nan"), Source.GUIDE, 0)

    return _Guide(choose, lambda: demonstrator.begin(rng))


def _standing_still(env: RobotEnv) -> _Guide:
    """What is asked of the motors where no device of the person's asks for anything."""
    still = np.zeros(env.action_space.shape)

    def choose(observation: FloatArray) -> Choice:
        return Choice(still, float("nan"), Source.HUMAN, 0)

    return _Guide(choose, lambda: None)


def _record(
    config: DictConfig, env: RobotEnv, guide: _Guide, out: Path, operator: Operator | None, kept: _Kept
) -> None:
    """Writes the log, and into `kept` what the summary says of it."""

    def run(seed: int) -> Transition:
        taken: list[Transition] = []
        index = log.episodes
        for frame, transition in enumerate(episode(env, guide.choose, seed, guide.begin)):
            log.append(to_record(transition, index, frame, Phase.COLLECT))
            taken.append(transition)
        if not transition.step.discarded:
            kept.interventions.update(each.filter for step in taken for each in step.step.verdict.interventions)
            kept.rewards.extend(step.reward for step in taken)
            kept.successes.append(transition.step.success is True)
            terminal.progress(len(kept.successes), success=sum(kept.successes) / len(kept.successes))
        return transition

    seeds = start_seeds(config.seed, Stream.TRAINING_STARTS, config.episodes)
    line = operator.line if operator else None
    with LogWriter.create(out, log_spec(env)) as log, Terminal("collect", len(seeds), "episodes", line) as terminal:
        counted_episodes(env, seeds, run)
