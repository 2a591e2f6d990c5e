"""Priorities of rows: the classifier of online against offline data behind them, and their refreshing."""

from __future__ import annotations

import torch
from torch import Tensor

from porl_robot.learner.state import LearnerState
from porl_robot.learner.update import normalised, step_groups
from porl_robot.methods.replay_plans import Prioritised, density_loss
from porl_robot.replay.buffer import Batch, ReplayBuffer

_ROWS = 256


class Priorities:
    """Keeps the priorities of `state` up to date. Deterministic given the generator it is handed.

    Args:
        plan: says what a priority is.
        buffer: its offline rows are one side of the classifier.
    """

    def __init__(self, plan: Prioritised, state: LearnerState, buffer: ReplayBuffer) -> None:
        self._plan, self._state, self._buffer = plan, state, buffer
        self._state.networks["priority"]["largest"].fill_(plan.first(buffer.offline))

    @torch.no_grad()
    def admit(self, rows: int) -> None:
        """Gives online rows that were not seen before, up to `rows`, the largest priority so far."""
        priority, offline = self._state.networks["priority"], self._buffer.offline
        seen = int(priority["seen"])
        priority["rows"][offline + seen : offline + rows] = priority["largest"]
        priority["seen"].fill_(max(seen, rows))

    def refresh(self, batch: Batch, indices: Tensor, rows: int, rate: Tensor, rng: torch.Generator) -> None:
        """One step of the classifier on fresh rows; then new priorities for the sampled `batch` (K, B) at `indices`."""
        offline, state = self._buffer.offline, self._state
        if offline and rows:
            old = torch.randint(offline, (_ROWS,), generator=rng, device=rng.device)
            new = offline + torch.randint(rows, (_ROWS,), generator=rng, device=rng.device)
            sides = [normalised(state, self._buffer.gather(i, rows, (_ROWS,), 1.0)) for i in (old, new)]
            step_groups(state, ("density",), density_loss(state.networks, *sides), rate)
        with torch.no_grad():
            last = batch.at(-1)
            at = indices.view(batch.reward.shape)[-1]
            fresh = self._plan.refreshed(state.networks, normalised(state, last), at, offline)
            priority = state.networks["priority"]
            priority["rows"][at] = fresh
            priority["largest"].copy_(torch.maximum(priority["largest"], fresh.max()))
