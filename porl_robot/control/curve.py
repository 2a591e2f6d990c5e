"""The measuring of a run: its learning curve, its start and its end, on an env of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from porl_robot.control.evaluation import EvaluationResult, evaluate, start_seeds
from porl_robot.control.operator import FINISHED_BY_OPERATOR
from porl_robot.control.run_state import RunState
from porl_robot.env import RobotEnv
from porl_robot.learner.snapshot import Snapshot
from porl_robot.policy.inference import Agent, PolicyRunner
from porl_robot.policy.spec import Policy
from porl_robot.seeds import Stream
from porl_robot.supervision import Halted


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Length and measuring of a run.

    Attributes:
        steps: environment steps in all, the pre-sample included.
        eval_every: steps between evaluations; a checkpoint is written with each.
        eval_episodes: episodes of each, on the same seeded starts throughout the run.
        final_episodes: fresh starts for the final figure.
    """

    steps: int
    eval_every: int
    eval_episodes: int
    final_episodes: int
    seed: int
    out: Path


class Curve:
    """Evaluates on `env` and keeps the account of the time it takes.

    Args:
        state: its curve and times are written to.
    """

    def __init__(self, env: RobotEnv, config: RunConfig, state: RunState) -> None:
        self._env, self._config, self._state = env, config, state
        self._seeds = start_seeds(config.seed, Stream.EVALUATION_STARTS, config.eval_episodes)
        self._newest: tuple[int, EvaluationResult] | None = None
        known = bool(state.curve) and state.curve[-1]["env_steps"] == state.env_steps
        # What a run that goes on has left out until now is not made up for.
        self._measured = state.env_steps if known else state.env_steps - 1

    @property
    def due(self) -> bool:
        """Whether a point is to be measured now: a multiple of `eval_every` or the end was reached since the last."""
        steps, every = self._state.env_steps, self._config.eval_every
        return steps // every > self._measured // every or self._measured < steps == self._config.steps

    def alone(self, policy: Policy) -> tuple[EvaluationResult, EvaluationResult]:
        """Success of `policy` by its mode and by sampled actions, on the starts of the curve."""
        agent = PolicyRunner(policy)
        return self._evaluate(agent, self._seeds), self._evaluate(agent, self._seeds, sampled=True)

    def known(self, snapshot: Snapshot, result: EvaluationResult) -> None:
        """Spares the evaluation of `snapshot`, which acts as the policy did that gave `result`."""
        self._newest = snapshot.version, result

    def add(self, snapshot: Snapshot) -> EvaluationResult:
        """Adds a point; a snapshot that was just measured is not measured again."""
        if self._newest is None or self._newest[0] != snapshot.version:
            self._newest = snapshot.version, self._evaluate(snapshot.agent, self._seeds)
        result = self._newest[1]
        self._measured = self._state.env_steps
        self._state.curve.append(
            {
                "env_steps": self._state.env_steps,
                "success": result.success,
                "episodes": result.episodes,
                "return_mean": result.return_mean,
            }
        )
        return result

    def end(self, snapshot: Snapshot) -> EvaluationResult:
        """The final figure, on starts that no other evaluation has seen."""
        seeds = start_seeds(self._config.seed, Stream.FINAL_STARTS, self._config.final_episodes)
        return self._evaluate(snapshot.agent, seeds)

    def hold(self) -> None:
        """Holds the robot of the evaluations."""
        self._env.hold()

    def _evaluate(self, agent: Agent, seeds: list[int], sampled: bool = False) -> EvaluationResult:
        before = time.process_time()
        result = evaluate(self._env, agent, seeds, sampled)
        if result.episodes < len(seeds):
            raise Halted(FINISHED_BY_OPERATOR)
        spent = time.process_time() - before
        self._state.cpu_s_eval += spent
        self._state.cpu_s -= spent
        return result
