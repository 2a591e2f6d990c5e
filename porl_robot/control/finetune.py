"""A fine-tuning run: act, record, let the learner follow, measure."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.control.checkpoints import save_checkpoint
from porl_robot.control.curve import Curve, RunConfig
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.gauges import Gauges
from porl_robot.control.metrics import MetricsLog
from porl_robot.control.operator import FINISHED_BY_OPERATOR, STOPPED_BY_OPERATOR
from porl_robot.control.reporter import Reporter
from porl_robot.control.rollout import Choice, Transition, episode, to_record
from porl_robot.control.run_state import RunState
from porl_robot.env import RobotEnv
from porl_robot.learner.learner import Learner
from porl_robot.learner.snapshot import Snapshot
from porl_robot.learner.thread import LearnerThread
from porl_robot.methods.explorers import Moment
from porl_robot.methods.method import Method
from porl_robot.methods.warm_up import keep_sampling, missing_evidence
from porl_robot.policy.spec import Policy
from porl_robot.replay.record import Phase
from porl_robot.replay.writer import LogWriter
from porl_robot.seeds import Stream, derive
from porl_robot.supervision import Halted
from porl_robot.uninterrupted import uninterrupted

_FIT_CHUNK = 500


class FineTuning:
    """One run. `evaluation_env` has an instance and a random stream of its own, unless there is only one robot.

    In real time everything that takes long (evaluations, metrics, checkpoints) waits for the end of the episode, while
    the robot is held.

    Args:
        learner: holds the policy to begin with; its buffer holds what `state` has counted.
        state: where to go on; fresh for a new run.
        missed: steps at the end of `state` whose updates were not done, after a crash or a stop.
    """

    def __init__(
        self,
        env: RobotEnv,
        evaluation_env: RobotEnv,
        learner: Learner,
        log: LogWriter,
        metrics: MetricsLog,
        config: RunConfig,
        state: RunState,
        reporter: Reporter,
        missed: int = 0,
    ) -> None:
        self._env, self._curve = env, Curve(evaluation_env, config, state)
        self._learner, self._log = learner, log
        self._config, self.state, self._reporter = config, state, reporter
        self._missed = missed
        self._method: Method = learner.method
        self._rng = np.random.default_rng(derive(config.seed, Stream.EXPLORATION, state.env_steps))
        self.stopped_because: str | None = None
        self.interruption: KeyboardInterrupt | Halted | None = None
        self._clock = time.monotonic(), time.process_time()
        if not state.env_steps:
            state.next_check = self._method.warm_up.steps
        lag = None if env.real_time else learner.config.lag
        self._thread = LearnerThread(learner, lag, version=state.blocks)
        self.gauges = Gauges(state, learner, self._thread, metrics, reporter)

    def run(self, given: Policy | None = None) -> EvaluationResult | None:
        """Runs to the end. Returns the final evaluation, or None where the run was stopped early.

        On every way out the robot is held, the learner stopped and the log closed. An interrupt, a stop by the operator
        and a fault of the robot end the run with a checkpoint and are kept as `interruption`.

        Raises:
            LearnerError: the learner died. LogError: the log can no longer be written. UserError: the learner diverged.
        """
        final = None
        with self._log, ExitStack() as ending:
            self._thread.start()
            try:
                if given is not None:
                    self._measure_start(given)
                final = self._act()
            except (KeyboardInterrupt, Halted) as interruption:
                ending.enter_context(uninterrupted(forget=True))
                self.interruption = interruption
                self.stopped_because = str(interruption) or STOPPED_BY_OPERATOR
                if not self._env.real_time:
                    self._thread.drain()
            finally:
                self._env.hold()
                self._curve.hold()
                self._thread.stop()
            self._checkpoint()
        return final

    def _measure_start(self, given: Policy) -> None:
        """Measures `given` alone, once in a run.

        Where it is what acts at first, the first point of the curve is known with that.
        """
        if self.state.start is None:
            self.state.start = self._curve.alone(given)
        if self._method.behaviour is None and self._method.actor.source == "checkpoint" and not self.state.blocks:
            self._curve.known(self._thread.newest(), self.state.start[0])

    def _act(self) -> EvaluationResult | None:
        self._catch_up()
        if self._curve.due:
            self._measure()
        while self.state.env_steps < self._config.steps and self.stopped_because is None:
            self._episode()
            if self._env.finishing:
                raise Halted(FINISHED_BY_OPERATOR)
        if self.stopped_because is not None:
            return None
        return self._curve.end(self._settled_snapshot())

    @property
    def env_name(self) -> str:
        """Name of the task."""
        return self._env.name

    def _episode(self) -> None:
        state = self.state
        seed = derive(self._config.seed, Stream.TRAINING_STARTS, state.episodes)
        self._frame = 0
        for frame, happened in enumerate(episode(self._env, self._choose, seed)):
            last = state.env_steps + 1 == self._config.steps
            transition = replace(happened, truncated=True) if last and not happened.ended else happened
            self._record(transition, frame)
            self._frame = frame + 1
            self._learn()
            if not self._env.real_time:
                self._look()
            if last:
                break
        if transition.step.fault not in (None, STOPPED_BY_OPERATOR):
            self._reporter.note(f"episode {state.episodes - 1} ended by a fault: {transition.step.fault}")
        if self._env.real_time:
            self._env.hold()
            self._env.attend()
            self._reporter.progress(state.env_steps)
            self._look()
        if state.unfreeze_step is None and self._method.warm_up.fit is not None and not last:
            self._consider_unfreezing()

    def _look(self) -> None:
        """Metrics and evaluations that have become due."""
        self.gauges.look()
        if self._curve.due:
            self._measure()

    def _choose(self, observation: FloatArray) -> Choice:
        snapshot = self._thread.current()
        state = self.state
        scale = self._method.warm_up.noise_scale(state.episodes) if state.unfreeze_step is None else 1.0
        moment = Moment(state.env_steps, self._frame, state.outcomes, scale)
        proposed = self._method.explorer.act(snapshot.agent, self._learner.reference, observation, moment, self._rng)
        return Choice(proposed.action, proposed.log_prob, proposed.source, snapshot.version)

    def _record(self, transition: Transition, frame: int) -> None:
        phase = Phase.PRE_SAMPLE if self.state.unfreeze_step is None else Phase.ONLINE
        self._log.append(to_record(transition, self._log.episodes, frame, phase))
        self._learner.buffer.add(
            transition.observation,
            transition.step.action,
            transition.next_observation,
            transition.reward,
            transition.terminated,
            transition.truncated,
            transition.step.success,
        )
        self.state.count(transition)

    def _learn(self) -> None:
        """Grants the learner what this step is worth, and unfreezes a method that asks for no fit."""
        state, warm_up = self.state, self._method.warm_up
        self._grant(state.env_steps)
        if state.unfreeze_step is None and warm_up.fit is None and state.env_steps >= warm_up.steps:
            self._unfreeze()

    def _grant(self, steps: int) -> None:
        """One block for the environment step that made it `steps`, if any is due."""
        unfrozen = self.state.unfreeze_step
        rows = min(steps, len(self._learner.buffer))
        if unfrozen is not None and steps > unfrozen:
            self._thread.step(rows, steps - unfrozen)
        elif self._method.warm_up.train_critic and rows >= self._learner.config.batch_size:
            self._thread.step(rows, None)

    def _consider_unfreezing(self) -> None:
        state, warm_up = self.state, self._method.warm_up
        if keep_sampling(warm_up.evidence, state.next_check, state.pre_sample()):
            return
        correlation = self._fit(state.env_steps)
        lacking = missing_evidence(warm_up.evidence, state.pre_sample(), correlation)
        if lacking is None:
            self._unfreeze()
        elif state.env_steps < 2 * warm_up.steps:
            state.next_check = state.env_steps + warm_up.steps // 4
            self._reporter.note(f"the actor stays frozen until step {state.next_check}: {lacking}")
        else:
            self.stopped_because = lacking

    def _fit(self, steps: int) -> float:
        """Fits the critic to the first `steps` steps, half as long when repeated; returns its rank correlation."""
        rows = min(steps, len(self._learner.buffer))
        fit = self._method.warm_up.fit
        assert fit is not None
        updates = fit.updates if self.state.refits == 0 else fit.updates // 2
        for done in range(0, updates, _FIT_CHUNK):
            self._env.attend()
            count = min(_FIT_CHUNK, updates - done)
            self._thread.run_idle(partial(Learner.fit, rows=rows, fit=fit, updates=count))
            self._reporter.progress(self.state.env_steps, phase=f"critic fit {done + count}/{updates}")
        self.state.refits += 1
        self.state.fit_step = steps
        correlation = self._thread.run_idle(lambda learner: learner.rank_correlation(rows))
        self.gauges.write(phase="fit", rank_correlation=correlation)
        self._reporter.note(f"critic fitted to {rows} steps, rank correlation with returns {correlation:.2f}")
        return correlation

    def _unfreeze(self) -> None:
        self.state.unfreeze_step = self.state.env_steps
        self._reporter.note(f"actor unfrozen at step {self.state.env_steps}")
        if not self._env.real_time:
            self.gauges.write()

    def _catch_up(self) -> None:
        """The updates that a crash or a stop in real time left undone, a fit among them."""
        state, warm_up = self.state, self._method.warm_up
        for steps in range(state.env_steps - self._missed + 1, state.env_steps + 1):
            if steps - 1 == state.unfreeze_step != state.fit_step and warm_up.fit is not None:
                self._fit(steps - 1)
            self._grant(steps)
            self._missed -= 1
        if state.unfreeze_step is None and warm_up.fit is None and state.env_steps >= warm_up.steps:
            self._unfreeze()

    def _measure(self) -> None:
        """One evaluation on the curve, and a checkpoint."""
        result = self._curve.add(self._settled_snapshot())
        self.gauges.measured(result)
        shown = f"return {result.return_mean:.1f}" if result.success is None else f"success {result.success:.2f}"
        self._reporter.note(f"step {self.state.env_steps}: {shown} over {result.episodes} episodes")
        self._checkpoint()

    def _settled_snapshot(self) -> Snapshot:
        """The newest snapshot once every update granted so far is done."""
        return self._thread.run_idle(lambda learner: self._thread.newest())

    def _checkpoint(self) -> None:
        self._log.flush()
        self._tick()
        self.state.blocks, self.state.owed = self._thread.blocks, self._thread.owed + self._missed
        save_checkpoint(self._config.out, self.state, self._learner)

    def _tick(self) -> None:
        """Brings the times in the state up to now."""
        wall, cpu = self._clock
        self._clock = time.monotonic(), time.process_time()
        self.state.wall_s += self._clock[0] - wall
        self.state.cpu_s += self._clock[1] - cpu
