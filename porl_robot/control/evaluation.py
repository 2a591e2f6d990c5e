"""Measuring a policy: seeded episodes through the same safety chain, in an env of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.control.rollout import Choice, Transition, counted_episodes, episode
from porl_robot.env import RobotEnv
from porl_robot.policy.inference import Agent
from porl_robot.replay.record import Source
from porl_robot.seeds import Stream, derive


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The outcome of some episodes.

    Attributes:
        successes: of the policy alone; None where the task has no notion of success.
        assisted: episodes in which a person took over.
    """

    episodes: int
    successes: int | None
    return_mean: float
    assisted: int = 0

    @property
    def success(self) -> float | None:
        """Share of successful episodes."""
        return None if self.successes is None else self.successes / self.episodes


def start_seeds(seed: int, stream: Stream, count: int) -> list[int]:
    """Seeds of `count` start states."""
    return [derive(seed, stream, index) for index in range(count)]


def evaluate(
    env: RobotEnv,
    agent: Agent,
    seeds: Sequence[int],
    sampled: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> EvaluationResult:
    """Runs one episode per seed with the policy's mode, or with sampled actions.

    The same policy and seeds give the same outcome. `progress` is called after every episode. An operator may discard
    episodes, which are repeated, and finish early. One in which a person took over is no success of the policy.

    Raises:
        Halted: as `counted_episodes` does.
    """
    rewards: list[float] = []
    successes = assisted = 0

    def run(seed: int) -> Transition:
        nonlocal successes, assisted
        rng = np.random.default_rng(derive(seed, Stream.SAMPLED_ACTIONS))

        def choose(observation: FloatArray) -> Choice:
            if not sampled:
                return Choice(agent.mode(observation), float("nan"), Source.POLICY, 0)
            return Choice(*agent.sample(observation, rng), Source.POLICY, 0)

        before, helped = len(rewards), False
        for transition in episode(env, choose, seed):
            rewards.append(transition.reward)
            helped |= transition.choice.source is Source.HUMAN
        if transition.step.discarded:
            del rewards[before:]
        else:
            successes += transition.step.success is True and not helped
            assisted += helped
            progress()
        return transition

    episodes = counted_episodes(env, seeds, run)
    return EvaluationResult(episodes, successes if env.has_success else None, sum(rewards) / episodes, assisted)
