"""Where a fine-tuning run stands: plain numbers, saved with every checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from porl_robot.analysis.statistics import Evaluation
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.rollout import Transition
from porl_robot.methods.warm_up import PreSample
from porl_robot.replay.log import LogData
from porl_robot.replay.record import Phase, Source


@dataclass(slots=True)
class RunState:
    """Counters of a run.

    Attributes:
        env_steps: training steps taken; evaluations do not count.
        episodes: training episodes finished, discarded ones too. successes, failures: of those the operator did not
            discard; None without a notion of success.
        unfreeze_step: environment steps before the actor's first update; None while it is frozen.
        next_check: environment steps at which the evidence for unfreezing is looked at next.
        refits: fits of the critic so far. fit_step: environment steps before the newest of them.
        blocks: blocks of updates the learner has done.
        owed: newest steps whose updates a stop left undone.
        start: the given policy by its mode and by sampled actions, before any training; None until it was measured.
        curve: evaluations so far.
        interventions: training steps each safety filter changed.
        outcomes: of the finished training episodes, in order (1 success of the policy alone, 0 otherwise).
        helped: a person has acted in the episode under way.
        wall_s, cpu_s, cpu_s_eval: time spent; `cpu_s` excludes evaluation, `wall_s` holds it.
    """

    env_steps: int = 0
    episodes: int = 0
    successes: int | None = 0
    failures: int | None = 0
    unfreeze_step: int | None = None
    next_check: int = 0
    refits: int = 0
    fit_step: int | None = None
    blocks: int = 0
    owed: int = 0
    start: tuple[EvaluationResult, EvaluationResult] | None = None
    curve: list[Evaluation] = field(default_factory=list)
    interventions: dict[str, int] = field(default_factory=dict)
    outcomes: list[float] = field(default_factory=list)
    helped: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    cpu_s_eval: float = 0.0

    def count(self, transition: Transition) -> None:
        """Takes note of one training step."""
        self.env_steps += 1
        for intervention in transition.step.verdict.interventions:
            name = intervention.filter
            self.interventions[name] = self.interventions.get(name, 0) + 1
        self.helped |= transition.choice.source is Source.HUMAN
        if transition.ended:
            self.episodes += 1
            if not transition.step.discarded:
                self._count_outcome(transition.step.success, self.helped)
            self.helped = False

    def recount(self, log: LogData) -> int:
        """Brings the counters up to what the log holds; returns by how many steps it was ahead.

        The log also says whether the actor was unfrozen since.
        """
        ahead = log.rows - self.env_steps
        self.env_steps, self.successes, self.failures = log.rows, 0, 0
        self.outcomes.clear()
        online = np.flatnonzero(log.phase == Phase.ONLINE)
        if self.unfreeze_step is None and len(online):
            self.unfreeze_step = int(online[0])
        self.episodes = log.episodes
        for episode in np.flatnonzero(~log.discarded):
            rows = log.episode(int(episode))
            success = log.success[rows][-1]
            self._count_outcome(None if success < 0 else bool(success), bool(log.is_intervention[rows].any()))
        self.helped = False
        self.interventions = {
            name: count for bit, name in enumerate(log.spec.filters) if (count := int((log.filters >> bit & 1).sum()))
        }
        return ahead

    def pre_sample(self) -> PreSample:
        """What the frozen policy has shown so far."""
        return PreSample(self.env_steps, self.successes, self.failures)

    @property
    def train_success(self) -> float | None:
        """Success of the policy alone over the last 20 training episodes."""
        recent = self.outcomes[-20:]
        return sum(recent) / len(recent) if recent else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunState:
        """The inverse of `to_json`."""
        state = cls(**data)
        if state.start is not None:
            mode, sampled = data["start"]
            state.start = EvaluationResult(**mode), EvaluationResult(**sampled)
        return state

    def _count_outcome(self, success: bool | None, helped: bool) -> None:
        if success is None or self.successes is None or self.failures is None:
            self.successes = self.failures = None
            return
        self.successes += success
        self.failures += not success
        self.outcomes.append(float(success and not helped))
