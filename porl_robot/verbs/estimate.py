"""How long a comparison will take: stored costs at first, corrected by what its own commands took."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from porl_robot.verbs.cells import Step

_START = 5.0
"""Of a process [s]."""
_GRADIENT_STEP = 6e-3
"""Of pre-training [s]."""
_GRADIENT_STEPS = 3000
"""Where a pre-training says nowhere how many it takes."""
_STEP = {"arm_reach": 5.5e-3, "arm_push": 5.5e-3, "arm_lift": 6e-3, "serial_twin": 6.5e-3}
_STEP_ELSEWHERE = 14e-3
"""Environment step with its updates [s]: preset small, one core, mean over the methods of `benchmarks/learning.py`.
Other tasks are taken to cost what robosuite Lift does."""
_EPISODE = {"arm_reach": 0.02, "arm_push": 0.02, "arm_lift": 0.03, "serial_twin": 0.03}
_EPISODE_ELSEWHERE = 0.25
"""Episode of an evaluation or demonstration [s], measured likewise."""


class Costs:
    """Seconds per command.

    A command is taken to need its stored cost times the mean factor by which finished ones exceeded theirs: those of
    the same verb, task and method where there are some, else of the same verb and task, else of the same verb.
    """

    def __init__(self) -> None:
        self._factors: dict[tuple[str, ...], list[float]] = {}
        self.runs = 0

    def learn(self, step: Step, wall_s: float) -> None:
        """Takes note of a finished command. `wall_s`: as in its summary, without the start of the process."""
        self.runs += step.verb == "finetune"
        for key in _keys(step):
            self._factors.setdefault(key, []).append((wall_s + _START) / _stored(step))

    def seconds(self, step: Step) -> float:
        """What `step` will take from start to end."""
        factors = next((self._factors[key] for key in _keys(step) if key in self._factors), [1.0])
        return _stored(step) * fmean(factors)


def ends(chains: Iterable[Sequence[Step]], jobs: int, costs: Costs, spent: Mapping[Path, float]) -> list[float]:
    """When each chain of commands will have ended [s from now], `jobs` at a time, in this order.

    Args:
        chains: a command that several share counts once, for the first.
        spent: seconds that running commands have taken so far, by the folder they write.
    """
    free, counted, found = [0.0] * jobs, set[Path](), list[float]()
    for chain in chains:
        end = heapq.heappop(free)
        for step in chain:
            if step.out not in counted:
                end += max(0.0, costs.seconds(step) - spent.get(step.out, 0.0))
                counted.add(step.out)
        heapq.heappush(free, end)
        found.append(end)
    return found


def _keys(step: Step) -> list[tuple[str, ...]]:
    method = step.config.get("method", {}).get("name", "")
    env = step.config["env"]["name"]
    return [(step.verb, env, method), (step.verb, env), (step.verb,)]


def _gradient_steps(config: dict[str, Any]) -> int:
    """Of pre-training: as given, or the method's own, wherever it says so."""
    method = config["method"]
    steps: int = config["steps"] or method.get("offline_updates") or method.get("steps") or _GRADIENT_STEPS
    return steps


def _stored(step: Step) -> float:
    config, env = step.config, step.config["env"]["name"]
    episode = _EPISODE.get(env, _EPISODE_ELSEWHERE)
    if step.verb == "collect":
        return _START + float(config["episodes"]) * episode
    if step.verb == "pretrain":
        return _START + float(_gradient_steps(config)) * _GRADIENT_STEP + 2.0 * float(config["eval_episodes"]) * episode
    evaluations = 2 + config["steps"] // config["eval_every"]  # by sampled actions, at the start, and along the way
    episodes = evaluations * config["eval_episodes"] + config["final_episodes"]
    return _START + float(config["steps"]) * _STEP.get(env, _STEP_ELSEWHERE) + float(episodes) * episode
