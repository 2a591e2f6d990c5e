"""What a learner samples from: one contiguous float32 tensor of transitions, in the order they happened."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.replay.log import LogData

_UNKNOWN_RETURN = float("-inf")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of transitions. Leading dimensions as sampled.

    Attributes:
        observation, next_observation: (..., D). action: (..., A), executed.
        reward: (...,), of one step, or discounted over n.
        discount: (...,), what the value of `next_observation` is multiplied by: the discount to the power of the steps
            taken, 0 after a termination. A truncated step keeps its bootstrap.
        returns: (...,), discounted return-to-go; -inf where it is not known yet.
    """

    observation: Tensor
    action: Tensor
    next_observation: Tensor
    reward: Tensor
    discount: Tensor
    returns: Tensor

    def at(self, index: int) -> Batch:
        """The part at `index` of the first dimension."""
        return Batch(
            self.observation[index],
            self.action[index],
            self.next_observation[index],
            self.reward[index],
            self.discount[index],
            self.returns[index],
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished episode: steps, undiscounted return, and whether it was terminated."""

    steps: int
    total: float
    terminated: bool


class ReplayBuffer:
    """Transitions of whole episodes and of the one under way, behind those of an offline log, if there is one.

    Written by one thread while another samples rows below a count it was given: rows once written never change, but
    for the returns, which belong to the thread that samples.

    A failure that ends its episode gets the smallest return of the task in place of its reward, at whatever step it
    comes: observations have no clock, and an undiscounted rest would make a late failure worth more than a time-out.

    Args:
        capacity: rows; a run knows how many it will need.
        observation_size, action_size: D and A.
        offline: a log whose transitions come first.

    Raises:
        UserError: there is no memory for so many rows.

    Attributes:
        value_bounds: smallest and largest return of the task; set by the learner.
    """

    value_bounds = (float("-inf"), float("inf"))

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action_size: int,
        device: torch.device | str = "cpu",
        offline: LogData | None = None,
    ) -> None:
        self._observation, self._action = observation_size, action_size
        self._capacity = capacity
        width = 2 * observation_size + action_size + 5
        rows = (offline.rows if offline else 0) + capacity
        try:
            self._rows = torch.zeros(rows, width, device=device)
        except RuntimeError as error:
            size = rows * width * 4 / 2**30
            raise UserError(f"no memory for {rows} steps of replay: they would take {size:.0f} GiB") from error
        self._ends: list[int] = []
        self._outcomes: list[Outcome] = []
        self._size = 0
        self._begun = 0
        self._with_returns = 0
        self.offline = 0
        if offline is not None:
            self.extend(offline)
            self.offline = self._size
            self._rows = self._rows[: self.offline + capacity]
        self._offline_episodes = len(self._ends)

    def __len__(self) -> int:
        """Online rows."""
        return self._size - self.offline

    @property
    def capacity(self) -> int:
        """Online rows it can hold."""
        return self._capacity

    @property
    def episodes(self) -> int:
        """Number of finished online episodes."""
        return len(self._ends) - self._offline_episodes

    def add(
        self,
        observation: FloatArray,
        action: FloatArray,
        next_observation: FloatArray,
        reward: float,
        terminated: bool,
        truncated: bool,
        success: bool | None = None,
    ) -> None:
        """Appends one transition; one whose next observation is not finite is left out, as nothing follows from it.

        Raises:
            IndexError: the buffer is full.
        """
        if np.isfinite(next_observation).all():
            failed = terminated and success is not None and not success
            tail = (reward, 0.0 if terminated else 1.0, self._begun, _UNKNOWN_RETURN, failed)
            row = np.concatenate([observation, action, next_observation, tail], dtype=np.float32)
            self._rows[self._size] = torch.from_numpy(row)
            self._size += 1
        if terminated or truncated:
            self._begun += 1
            self._end_episode(self._size, terminated)

    def extend(self, log: LogData) -> None:
        """Appends every transition of a log. The last step of an episode whose end was lost is left out."""
        next_observation = np.roll(log.observation, -1, axis=0)
        next_observation[log.episode_ends - 1] = log.final_observation
        known = np.isfinite(next_observation).all(1)
        episode = self._begun + np.repeat(np.arange(log.episodes), np.diff(log.episode_ends, prepend=0))
        unknown = np.full(log.rows, _UNKNOWN_RETURN)
        failed = log.terminated & (log.success == 0)
        tail = np.stack([log.reward, ~log.terminated, episode, unknown, failed], axis=1)
        rows = np.concatenate([log.observation, log.action, next_observation, tail], axis=1, dtype=np.float32)
        rows = rows[known]
        self._rows[self._size : self._size + len(rows)] = torch.from_numpy(rows)
        ends = np.cumsum(known)[log.episode_ends - 1] + self._size
        self._size += len(rows)
        self._begun += log.episodes
        for end, terminated in zip(ends, log.terminated[log.episode_ends - 1], strict=True):
            self._end_episode(int(end), bool(terminated))

    def gather(self, indices: Tensor, rows: int, shape: tuple[int, ...], discount: float, n_step: int = 1) -> Batch:
        """The transitions at `indices` (N,), as leading shape `shape`, n steps long.

        Index 0 is the first offline row, `offline` the first online one. A transition ends early where its episode
        does, and at online row `rows`, beyond which nothing is known yet.
        """
        found = self._rows.index_select(0, indices)
        reward, following = self._reward(found), found
        factor = discount * self._column(found, 1)
        alive = self._column(found, 1)
        last = self.offline + rows - 1
        for step in range(1, n_step):
            later = self._rows.index_select(0, (indices + step).clamp(max=last))
            same = (self._column(later, 2) == self._column(found, 2)) & (indices + step <= last)
            alive = alive * same
            reward = reward + alive * discount**step * self._reward(later)
            factor = torch.where(alive > 0, discount ** (step + 1) * self._column(later, 1), factor)
            following = torch.where(alive[:, None] > 0, later, following)
            alive = alive * self._column(later, 1)
        d, a = self._observation, self._action
        return Batch(
            observation=found[:, :d].view(*shape, d),
            action=found[:, d : d + a].view(*shape, a),
            next_observation=following[:, d + a : 2 * d + a].view(*shape, d),
            reward=reward.view(shape),
            discount=factor.view(shape),
            returns=self._column(found, 3).view(shape),
        )

    def all(self, rows: int) -> Batch:
        """The first `rows` online transitions, in order, undiscounted. Leading shape (rows,)."""
        indices = torch.arange(self.offline, self.offline + rows, device=self._rows.device)
        return self.gather(indices, rows, (rows,), discount=1.0)

    def observations(self) -> Tensor:
        """All observations, offline ones first. Shape (N, D)."""
        return self._rows[: self._size, : self._observation]

    def fill_returns(self, rows: int, discount: float) -> None:
        """Writes the returns of the episodes that ended within the first `rows` online transitions.

        To be called by the thread that samples, with one discount throughout.
        """
        limit = self.offline + rows
        while self._with_returns < len(self._ends) and self._ends[self._with_returns] <= limit:
            episode = self._with_returns
            start = self._ends[episode - 1] if episode else 0
            returns = torch.from_numpy(self._episode_returns(episode, discount))
            self._column(self._rows[start : self._ends[episode]], 3).copy_(returns)
            self._with_returns += 1

    def returns(self, discount: float) -> npt.NDArray[np.float32]:
        """Discounted return-to-go of every transition of the finished online episodes, shape (N,).

        Beyond a truncation the episode is taken to go on at its mean reward: exact for a task that costs -1 per step
        and is never done, our default otherwise. Like bootstrapped targets, no return leaves `value_bounds`.
        """
        episodes = range(self._offline_episodes, len(self._ends))
        returns = [self._episode_returns(episode, discount) for episode in episodes]
        return np.concatenate(returns) if returns else np.empty(0, np.float32)

    def finished(self, rows: int) -> int:
        """How many episodes ended within the first `rows` online transitions."""
        return bisect_right(self._ends, self.offline + rows) - self._offline_episodes

    def outcomes(self, rows: int) -> list[Outcome]:
        """Of those episodes."""
        return self._outcomes[self._offline_episodes : self._offline_episodes + self.finished(rows)]

    def _episode_returns(self, episode: int, discount: float) -> npt.NDArray[np.float32]:
        start = self._ends[episode - 1] if episode else 0
        rewards = self._reward(self._rows[start : self._ends[episode]]).cpu().numpy()
        value = 0.0 if self._outcomes[episode].terminated else float(rewards.mean()) / (1.0 - discount)
        returns, (low, high) = np.empty_like(rewards), self.value_bounds
        for i in range(len(rewards) - 1, -1, -1):
            value = min(max(float(rewards[i]) + discount * value, low), high)
            returns[i] = value
        return returns

    def _end_episode(self, end: int, terminated: bool) -> None:
        start = self._ends[-1] if self._ends else 0
        if end > start:
            total = float(self._column(self._rows[start:end], 0).sum())
            self._outcomes.append(Outcome(end - start, total, terminated))
            self._ends.append(end)

    def _reward(self, rows: Tensor) -> Tensor:
        reward, worst = self._column(rows, 0), self.value_bounds[0]
        return reward if worst == float("-inf") else reward.masked_fill(self._column(rows, 4) > 0, worst)

    def _column(self, rows: Tensor, index: int) -> Tensor:
        return rows[:, 2 * self._observation + self._action + index]
