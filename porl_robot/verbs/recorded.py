"""Episodes kept for what was observed in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.rollout import Choice, episode
from porl_robot.env import RobotEnv
from porl_robot.replay.record import Source

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Some episodes.

    Attributes:
        observations: of each episode, (T, D): those an action was chosen at.
        result: their outcome.
    """

    observations: list[Float32]
    result: EvaluationResult


def record(
    env: RobotEnv,
    act: Callable[[FloatArray], FloatArray],
    seeds: Sequence[int],
    begin: Callable[[int], None] = lambda seed: None,
    progress: Callable[[], None] = lambda: None,
) -> Recorded:
    """Runs one episode per seed. `begin` gets the seed when its episode has begun; `progress` is called after each."""
    observations, successes, returns = [], 0, 0.0

    def choose(observation: FloatArray) -> Choice:
        return Choice(act(observation), float("nan"), Source.POLICY, 0)

    for seed in seeds:
        rows = []
        for transition in episode(env, choose, seed, partial(begin, seed)):
            rows.append(np.asarray(transition.observation, np.float32))
            returns += transition.reward
        successes += transition.step.success is True
        observations.append(np.stack(rows))
        progress()
    result = EvaluationResult(len(seeds), successes if env.has_success else None, returns / len(seeds))
    return Recorded(observations, result)
