"""The learner in the background of the control loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import torch

from porl_robot.errors import UserError
from porl_robot.learner.learner import Learner
from porl_robot.learner.limiter import Grant, Limiter
from porl_robot.learner.snapshot import Snapshot, SnapshotShelf
from porl_robot.learner.update import Metrics

T = TypeVar("T")


class LearnerError(Exception):
    """The learner died of an error in the program, which is chained."""


class LearnerThread:
    """Runs a learner's blocks as the limiter grants them, and publishes a snapshot after each.

    An exception in the thread closes the limiter, so that nobody waits for a dead learner, and is raised in the
    control thread by the next call of `step`, `current`, `run_idle` or `stop`.

    Args:
        learner: used by the thread alone while it runs.
        lag: see `Limiter`.
        version: of the policy the learner begins with; every block counts one further.
    """

    def __init__(self, learner: Learner, lag: int | None, version: int = 0) -> None:
        self._learner = learner
        self._lag = lag
        self._limiter = Limiter(lag)
        self._base = version
        first = learner.policy()
        self._shelf = SnapshotShelf(first, learner.agent(first), keep=(lag or 0) + 2, version=version)
        self._metrics: Metrics = {}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="learner", daemon=True)

    def start(self) -> None:
        """Begins to learn."""
        self._thread.start()

    def step(self, rows: int, step: int | None) -> None:
        """Grants one block (see `Learner.block`) and waits as the lag demands."""
        self._raise_error()
        self._limiter.grant(Grant(rows, step))
        self._limiter.wait()
        self._raise_error()

    def current(self) -> Snapshot:
        """The snapshot to act with. In simulation exactly `lag` grants old, so that runs are repeatable."""
        self._raise_error()
        if self._lag is None:
            return self._shelf.newest()
        return self._shelf.newest(self._base + max(0, self._limiter.granted - self._lag))

    @property
    def blocks(self) -> int:
        """Blocks done, those before `version` included."""
        return self._base + self._limiter.done

    @property
    def owed(self) -> int:
        """Blocks granted and not done."""
        return self._limiter.granted - self._limiter.done

    def drain(self) -> None:
        """Waits until every granted block is done."""
        self._limiter.drain()
        self._raise_error()

    def newest(self) -> Snapshot:
        """The newest snapshot, whatever its age."""
        return self._shelf.newest()

    def run_idle(self, job: Callable[[Learner], T]) -> T:
        """Waits until every granted block is done, then runs `job` on the learner in the calling thread."""
        self.drain()
        return job(self._learner)

    def stop(self) -> None:
        """Ends the thread after the block under way."""
        self._limiter.close()
        if self._thread.is_alive():
            self._thread.join()
        self._raise_error()

    def metrics(self) -> dict[str, float]:
        """Of the last block done."""
        return {name: value.item() for name, value in self._metrics.items()}

    def _run(self) -> None:
        torch.set_num_threads(self._learner.config.threads)
        try:
            while (grant := self._limiter.take()) is not None:
                self._metrics = self._learner.block(grant.rows, grant.step)
                if grant.step is not None:
                    version = self._base + self._limiter.done + 1
                    policy = self._learner.policy()
                    self._shelf.publish(version, policy, self._learner.agent(policy))
                self._limiter.finish()
        except BaseException as error:
            self._error = error
            self._limiter.close()

    def _raise_error(self) -> None:
        if isinstance(self._error, UserError):
            raise self._error
        if self._error is not None:
            raise LearnerError(f"the learner stopped: {self._error}") from self._error
