"""What a run looks like from outside while it goes on: metrics, written and shown."""

from __future__ import annotations

from porl_robot.analysis.statistics import wilson
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.metrics import MetricsLog
from porl_robot.control.reporter import Reporter
from porl_robot.control.run_state import RunState
from porl_robot.learner.learner import Learner
from porl_robot.learner.thread import LearnerThread

EXPLOITED = 0.8
"""Distance of the modes from the start beyond which critics were wrong in every collapse we saw (docs/methods.md)."""

_EVERY = 250


class Gauges:
    """Reads the run and its learner, whose `thread` it lets finish what was granted first."""

    def __init__(
        self, state: RunState, learner: Learner, thread: LearnerThread, metrics: MetricsLog, reporter: Reporter
    ) -> None:
        self._state, self._learner, self._thread = state, learner, thread
        self._metrics, self._reporter = metrics, reporter
        self._written, self._warned, self._fallen = state.env_steps, False, False

    @property
    def updates_per_step(self) -> float | None:
        """Critic updates per environment step since the actor was unfrozen; None before."""
        unfrozen = self._state.unfreeze_step
        if unfrozen is None or unfrozen == self._state.env_steps:
            return None
        updates = self._learner.actor_updates * self._learner.config.updates_per_step
        return updates / (self._state.env_steps - unfrozen)

    def look(self) -> None:
        """Writes them every 250 environment steps."""
        if self._state.env_steps // _EVERY > self._written // _EVERY:
            self.write()
            self._written = self._state.env_steps

    def write(self, phase: str | None = None, **extra: float) -> None:
        """Writes and shows what there is to read now, and `extra` with it."""
        state, learner = self._state, self._learner
        values = dict(extra)
        self._thread.drain()
        if self.updates_per_step is not None:
            values["updates_per_step"] = self.updates_per_step
        values |= {f"interventions/{name}": float(n) for name, n in state.interventions.items()}
        if state.train_success is not None:
            values["train_success"] = state.train_success
        if learner.critic_updates:
            rows = len(learner.buffer)
            values |= self._thread.run_idle(lambda idle: idle.diagnose(rows)) | self._thread.metrics()
        if state.unfreeze_step is not None:
            weights = learner.weights(len(learner.buffer), state.env_steps - state.unfreeze_step)
            values |= {f"coefficient/{name}": value for name, value in weights.items()}
        phase = phase or self._phase
        self._warn(values)
        self._metrics.write(state.env_steps, phase, values)
        self._reporter.progress(state.env_steps, phase=phase, **_shown(values))

    def measured(self, result: EvaluationResult) -> None:
        """Writes an evaluation at the present step, and says once if the policy is worse than it began."""
        values = {"evaluation/return_mean": result.return_mean}
        if result.success is not None:
            values["evaluation/success"] = result.success
        self._metrics.write(self._state.env_steps, self._phase, values)
        if self._state.start is not None and not self._fallen and _fell(self._state.start[0], result):
            self._fallen = True
            self._reporter.note(
                f"success fell from {self._state.start[0].success:.2f} to {result.success:.2f}, more than chance "
                "explains; method=porl_anchored holds a policy back until its critic knows better, and longer "
                "env.pre_sample and env.anchoring do so for more steps"
            )

    @property
    def _phase(self) -> str:
        return "pre_sample" if self._state.unfreeze_step is None else "online"

    def _warn(self, values: dict[str, float]) -> None:
        cloned = self._learner.method.actor.source == "checkpoint"
        if cloned and values.get("anchor_distance", 0.0) > EXPLOITED and not self._warned:
            self._warned = True
            distance = values["anchor_distance"]
            self._reporter.note(
                f"the policy's actions are {distance:.2f} away from those it began with (norm of the difference); "
                f"beyond {EXPLOITED} the critic knows little and may be exploited"
            )


def _fell(start: EvaluationResult, now: EvaluationResult) -> bool:
    """Whether `now` is worse than `start`: the 95 % intervals of their success rates lie apart."""
    if start.success is None or now.success is None:
        return False
    return wilson(now.success, now.episodes)[1] < wilson(start.success, start.episodes)[0]


def _shown(values: dict[str, float]) -> dict[str, float | str]:
    names = {"train_success": "success", "q_mean": "Q", "entropy": "entropy", "updates_per_step": "updates/step"}
    shown: dict[str, float | str] = {label: values[name] for name, label in names.items() if name in values}
    filtered = sum(value for name, value in values.items() if name.startswith("interventions/"))
    return shown | {"filtered": f"{filtered:.0f}"} if filtered else shown
