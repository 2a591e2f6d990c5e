"""What a learner samples from: one contiguous float32 tensor of transitions, in the order they happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from porl_robot.env import FloatArray
from porl_robot.replay.log import LogData


@dataclass(frozen=True, slots=True)
class Batch:
    """Views into sampled rows. Leading dimensions as sampled.

    Attributes:
        observation, next_observation: (..., D). action: (..., A), executed.
        reward, not_terminated: (...,). A truncated step has `not_terminated` 1: its bootstrap stays.
    """

    observation: Tensor
    action: Tensor
    next_observation: Tensor
    reward: Tensor
    not_terminated: Tensor


class ReplayBuffer:
    """Transitions of whole episodes and of the one under way.

    Written by one thread while another samples rows below a count it was given: rows once written never change.

    Args:
        capacity: rows; a run knows how many it will need.
        observation_size, action_size: D and A.
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action_size: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._observation, self._action = observation_size, action_size
        width = 2 * observation_size + action_size + 2
        self._rows = torch.zeros(capacity, width, device=device)
        self._ends: list[int] = []
        self._terminated: list[bool] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def capacity(self) -> int:
        """Rows it can hold."""
        return len(self._rows)

    @property
    def episodes(self) -> int:
        """Number of finished episodes."""
        return len(self._ends)

    def add(
        self,
        observation: FloatArray,
        action: FloatArray,
        next_observation: FloatArray,
        reward: float,
        terminated: bool,
        truncated: bool,
    ) -> None:
        """Appends one transition; one whose next observation is not finite is left out, as nothing follows from it.

        Raises:
            IndexError: the buffer is full.
        """
        if np.isfinite(next_observation).all():
            tail = (reward, 0.0 if terminated else 1.0)
            row = np.concatenate([observation, action, next_observation, tail], dtype=np.float32)
            self._rows[self._size] = torch.from_numpy(row)
            self._size += 1
        if terminated or truncated:
            self._end_episode(self._size, terminated)

    def extend(self, log: LogData) -> None:
        """Appends every transition of a log. The last step of an episode whose end was lost is left out."""
        next_observation = np.roll(log.observation, -1, axis=0)
        next_observation[log.episode_ends - 1] = log.final_observation
        known = np.isfinite(next_observation).all(1)
        tail = np.stack([log.reward, ~log.terminated], axis=1)
        rows = np.concatenate([log.observation, log.action, next_observation, tail], axis=1, dtype=np.float32)
        rows = rows[known]
        self._rows[self._size : self._size + len(rows)] = torch.from_numpy(rows)
        ends = np.cumsum(known)[log.episode_ends - 1] + self._size
        for end, terminated in zip(ends, log.terminated[log.episode_ends - 1], strict=True):
            self._end_episode(int(end), bool(terminated))
        self._size += len(rows)

    def sample(self, rows: int, shape: tuple[int, ...], rng: torch.Generator) -> Batch:
        """Uniform with replacement from the first `rows` transitions, in one gather. Leading shape `shape`."""
        indices = torch.randint(rows, (int(np.prod(shape)),), generator=rng, device=self._rows.device)
        return self._split(self._rows.index_select(0, indices).view(*shape, -1))

    def all(self, rows: int) -> Batch:
        """The first `rows` transitions, in order. Leading shape (rows,)."""
        return self._split(self._rows[:rows])

    def returns(self, discount: float) -> npt.NDArray[np.float32]:
        """Discounted return-to-go of every transition of the finished episodes, shape (N,).

        Beyond a truncation the episode is taken to go on at its mean reward: exact for a task that costs -1 per step
        and is never done, our default otherwise.
        """
        reward = self._rows[: self._size, -2].cpu().numpy()
        returns = np.empty(self._ends[-1] if self._ends else 0, np.float32)
        start = 0
        for end, terminated in zip(self._ends, self._terminated, strict=True):
            value = 0.0 if terminated else float(reward[start:end].mean()) / (1.0 - discount)
            for row in range(end - 1, start - 1, -1):
                value = float(reward[row]) + discount * value
                returns[row] = value
            start = end
        return returns

    def _end_episode(self, end: int, terminated: bool) -> None:
        if end > (self._ends[-1] if self._ends else 0):
            self._ends.append(end)
            self._terminated.append(terminated)

    def _split(self, rows: Tensor) -> Batch:
        d, a = self._observation, self._action
        return Batch(
            observation=rows[..., :d],
            action=rows[..., d : d + a],
            next_observation=rows[..., d + a : 2 * d + a],
            reward=rows[..., -2],
            not_terminated=rows[..., -1],
        )
