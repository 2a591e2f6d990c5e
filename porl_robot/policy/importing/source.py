"""A policy from elsewhere behind one face: an observation of the task in, an action in [-1, 1] out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration
from porl_robot.policy.importing.distil import neighbours
from porl_robot.policy.importing.mlp import Mlp
from porl_robot.policy.importing.raw import Raw, as_array, in_one_line
from porl_robot.policy.importing.recognise import recognised
from porl_robot.policy.importing.statistics import Statistics, read_statistics
from porl_robot.policy.spec import OBSERVATION_CLIP

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SAMPLES = 8
"""Actions of a stochastic source whose mean is taken for its action."""


class Source:
    """Runs one policy on observations of one task.

    Args:
        raw: the policy.
        declaration: what the user says of it.
        where: its place, for messages.
        env: name of the task.
        observation_size, action_size: of the task, D and A.

    Raises:
        UserError: what is declared, the policy and the task do not fit together.
    """

    def __init__(
        self, raw: Raw, declaration: Declaration, where: str, env: str, observation_size: int, action_size: int
    ) -> None:
        self.raw, self.declaration = raw, declaration
        self.where, self.env = where, env
        self.action_size = action_size
        self.indices = _indices(declaration, env, observation_size)
        seen = observation_size if self.indices is None else len(self.indices)
        if raw.observation_size not in (None, seen):
            raise self.refused(
                f"takes {raw.observation_size} observations, {env} gives {seen}; choose them with "
                "observation_indices=[...]"
            )
        self.statistics = _statistics(raw, declaration, seen)
        self.low, self.high = self._range()
        self._pending: list[Float64] = []

    @property
    def clipped(self) -> bool:
        """Whether actions beyond the range are meant to be cut off."""
        return self.declaration.clip or self.raw.clipped

    @property
    def in_unit_range(self) -> bool:
        """Whether its action range is [-1, 1] already."""
        return bool((self.low == -1.0).all() and (self.high == 1.0).all())

    def refused(self, reason: str) -> UserError:
        """The error that says why this source cannot be used."""
        return UserError(f"source={self.where}: {reason}")

    def reset(self) -> None:
        """Begins an episode."""
        self._pending = []
        self.raw.reset()

    def act(self, observation: FloatArray) -> Float64:
        """The action (A,) in [-1, 1] that is executed at `observation` (D,): the next one of a chunk.

        Raises:
            UserError: the policy raised, or its action is of a wrong shape or not finite.
        """
        if not self._pending:
            self._pending = list(self.query(observation))
        return self.scaled(self._pending.pop(0))

    def label(self, observation: FloatArray) -> Float64:
        """The action (A,) in [-1, 1] that belongs to `observation` (D,) alone: the first of a fresh chunk, the mean of
        `SAMPLES` where the source is stochastic."""
        count = SAMPLES if self.declaration.stochastic else 1
        mean: Float64 = np.mean([self.scaled(self.query(observation)[0]) for _ in range(count)], axis=0)
        return mean

    def labels(self, episode: FloatArray) -> Float64:
        """Actions (T, A) for the observations (T, D) of one episode. A stateful source sees them in order from a reset
        on and gives what it would have executed."""
        self.reset()
        give = self.act if self.declaration.stateful else self.label
        return np.stack([give(observation) for observation in episode])

    def examples(self, episodes: Sequence[FloatArray], seed: int) -> tuple[FloatArray, Float64]:
        """Observations (N, D) and actions (N, A) to learn from: those of the episodes (T, D) and, where the source
        needs no history and answers there, of neighbours of their observations."""
        observations: FloatArray = np.concatenate(list(episodes))
        actions = np.concatenate([self.labels(episode) for episode in episodes])
        if self.declaration.stateful:
            return observations, actions
        near, answers = [], []
        for observation in neighbours(observations, seed):
            try:
                answers.append(self.label(observation))
            except UserError:  # no robot was ever there: a source owes no answer
                continue
            near.append(observation)
        return np.stack([*observations, *near]), np.stack([*actions, *answers])

    def query(self, observation: FloatArray) -> Float64:
        """The actions (k, A) of one query at `observation` (D,), in the source's own units.

        Raises:
            UserError: the policy raised, or its action is of a wrong shape or not finite.
        """
        actions = self.answer(observation)
        if not np.isfinite(actions).all():
            dimension = int(np.flatnonzero(~np.isfinite(actions).all(0))[0])
            raise self.refused(f"gives a non-finite action in dimension {dimension}")
        return actions

    def perceptron(self, observations: FloatArray) -> tuple[Mlp, Statistics | None] | None:
        """What our actor can take over as it is, with the statistics before it, if the source is such a thing.

        Where its form is not known from the file, it is guessed and tried at `observations` (N, D).
        """
        if not self.in_unit_range or self.declaration.chunk is not None:
            return None
        found = None if self.raw.mlp is None else (self.raw.mlp, self.statistics)
        if found is None and self.statistics is None:
            rows = observations if self.indices is None else observations[:, self.indices]
            found = recognised(self.raw, rows)
        if found is None or not found[0].is_our_actor:
            return None
        clips = found[1] is not None and found[1].clip < OBSERVATION_CLIP  # where our actor does not
        return None if clips else found

    def answer(self, observation: FloatArray) -> Float64:
        """As `query`, but whatever the numbers are."""
        seen = observation if self.indices is None else observation[self.indices]
        if self.statistics is not None:
            seen = self.statistics.normalised(seen)
        try:
            given = self.raw.act(np.ascontiguousarray(seen, np.float32))
        except (Exception, SystemExit) as error:  # it is somebody else's code that runs here
            raise self.refused(
                f"does not accept an observation of {len(seen)} numbers ({in_one_line(error)})"
            ) from error
        try:
            return self._shaped(as_array(given))
        except (TypeError, ValueError, RuntimeError) as error:
            raise self.refused(
                f"answers with a {type(given).__name__} that is no array of real numbers ({in_one_line(error)})"
            ) from error

    def scaled(self, action: Float64) -> Float64:
        """An action (A,) in the source's units, mapped onto [-1, 1] and cut off there."""
        return np.clip(2.0 * (action - self.low) / (self.high - self.low) - 1.0, -1.0, 1.0)

    def _shaped(self, array: Float64) -> Float64:
        """The actions of an answer that are executed, (k, A)."""
        chunk, shape = self.declaration.chunk, array.shape
        wanted = 1 if chunk is None else 2
        while array.ndim > wanted and len(array) == 1:
            array = array[0]
        if array.ndim == 2 and chunk is None and array.shape[1] == self.action_size:
            raise self.refused(
                f"gives actions of shape {shape}, a chunk of {len(array)}; say with chunk=1 to chunk={len(array)} how "
                "many are executed before the next query"
            )
        if array.ndim == 0:
            array = array.reshape(1)
        rows = array[None] if array.ndim == 1 else array
        if array.ndim > 2 or rows.shape[1] != self.action_size or len(rows) < (chunk or 1):
            expected = f"({self.action_size},)" if chunk is None else f"({chunk} or more, {self.action_size})"
            raise self.refused(f"gives an action of shape {shape}; {self.env} takes {expected}")
        return rows[: chunk or 1]

    def _range(self) -> tuple[Float64, Float64]:
        """Ends of the source's action range, (A,) each."""
        given = (self.declaration.action_low, self.declaration.action_high)
        known = self.raw.action_range or ([-1.0], [1.0])
        low, high = (np.asarray(known[i] if end is None else end, np.float64) for i, end in enumerate(given))
        for name, end in (("action_low", low), ("action_high", high)):
            if len(end) not in (1, self.action_size):
                raise self.refused(f"{name} has {len(end)} numbers; {self.env} takes {self.action_size} (or one)")
        low, high = np.broadcast_to(low, self.action_size), np.broadcast_to(high, self.action_size)
        if not (low < high).all():
            raise self.refused("action_low is not below action_high")
        return low, high


def seed_everything(seed: int) -> None:
    """Seeds the random numbers a source may draw from, where it keeps none of its own."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the source's choice
    random.seed(seed)


def _indices(declaration: Declaration, env: str, size: int) -> list[int] | None:
    chosen = declaration.observation_indices
    if chosen is not None and max(chosen) >= size:
        raise UserError(f"observation_indices: {max(chosen)} is beyond the {size} observations of {env}")
    return chosen


def _statistics(raw: Raw, declaration: Declaration, size: int) -> Statistics | None:
    found = raw.statistics
    if declaration.normalisation is not None:
        found = read_statistics(Path(declaration.normalisation))
    if found is not None and len(found.mean) != size:
        raise UserError(f"the statistics are of {len(found.mean)} observations, the source sees {size}")
    return found
