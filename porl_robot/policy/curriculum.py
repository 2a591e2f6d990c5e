"""Curriculum cloning (COIL, arXiv 2111.02056): what is nearest to the policy comes first, if it is good enough.

The same likelihood as `cloning`, over a pool of whole episodes that shrinks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.cloning import Cloned, action_tensors, negative_log_likelihood, require_recipe
from porl_robot.policy.descent import Descent
from porl_robot.policy.network import (
    Parameters,
    distribution,
    log_std_head,
    normalise,
    random_parameters,
    to_policy,
    trainable,
)
from porl_robot.policy.spec import Policy, PolicySpec

QUANTILE = 0.9545
"""An episode scores the log-likelihood that this share of its steps exceeds."""


@dataclass(frozen=True, slots=True)
class CurriculumConfig:
    """How to clone by curriculum.

    Attributes:
        hidden: widths of the actor's hidden layers.
        batch_size, learning_rate: of Adam.
        steps: gradient steps on the whole pool before the first stage.
        picked: share of the episodes taken, and removed, at each stage; at least one.
        steps_per_stage: gradient steps on the picked ones.
        filter: share the bar keeps of itself when it moves to the worst picked return, after every `stages_per_epoch`.
        stages_per_epoch: stages between two moves of the bar.
        std: constant standard deviation; the likelihood is as in `cloning` with this head.
    """

    hidden: tuple[int, ...] = (128, 128)
    batch_size: int = 256
    learning_rate: float = 3e-4
    steps: int = 1000
    picked: float = 0.05
    steps_per_stage: int = 200
    filter: float = 0.9
    stages_per_epoch: int = 4
    std: float = 0.3

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("batch_size", "steps_per_stage", "stages_per_epoch")}
        require_recipe(self.hidden, self.learning_rate, counts)
        if self.steps < 0:
            raise ValueError(f"steps {self.steps} is negative")
        log_std_head(self.std)
        for name in ("picked", "filter"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} {getattr(self, name)} is outside (0, 1)")


class Pool:
    """Episodes not yet learned from, and the return below which they are dropped.

    Args:
        returns: undiscounted, one per episode.
        filter: see `CurriculumConfig`.
    """

    def __init__(self, returns: FloatArray, filter: float) -> None:
        self._returns, self._filter = returns, filter
        self.left = list(range(len(returns)))
        self.bar = min(0.0, float(returns.min()))

    def pick(self, scores: FloatArray, count: int) -> list[int]:
        """Takes and removes the `count` episodes of highest score; `scores` has one per episode of `left`."""
        order = np.argsort(-scores, kind="stable")[:count]
        picked = [self.left[i] for i in order]
        self.left = [episode for episode in self.left if episode not in picked]
        return picked

    def raise_bar(self, picked: list[int]) -> None:
        """Moves the bar towards the worst return of `picked`, and drops what lies below it."""
        worst = min(float(self._returns[episode]) for episode in picked)
        self.bar = self._filter * self.bar + (1.0 - self._filter) * worst
        self.left = [episode for episode in self.left if self._returns[episode] >= self.bar]


def clone_by_curriculum(
    observations: FloatArray,
    actions: FloatArray,
    rewards: FloatArray,
    episode_ends: npt.NDArray[np.int64],
    spec: PolicySpec,
    config: CurriculumConfig,
    seed: int,
    assess: Callable[[Policy], float],
    progress: Callable[[int, float, int], None] = lambda step, loss, left: None,
    limit: int | None = None,
) -> Cloned:
    """Fits a policy to the better part of `actions` (N, A) given `observations` (N, D) and `rewards` (N,).

    `assess` measures a policy after every stage; the best is kept. `limit` ends the curriculum after so many gradient
    steps. `progress` gets step, loss, episodes left.
    Deterministic given `seed` and `assess`.
    """
    rng = torch.Generator().manual_seed(seed)
    observation, action = action_tensors(observations, actions)
    parameters = random_parameters(spec, rng, observation)
    parameters["log_std.weight"].zero_()
    parameters["log_std.bias"].fill_(log_std_head(config.std))
    observation = normalise(parameters, observation)
    weights = [tensor for name, tensor in trainable(parameters).items() if not name.startswith("log_std")]
    descent = Descent(weights, config.learning_rate)

    def train(rows: Tensor, steps: int) -> float:
        loss = torch.tensor(float("nan"))
        for _ in range(steps):
            drawn = rows[torch.randint(len(rows), (config.batch_size,), generator=rng)]
            loss = negative_log_likelihood(parameters, observation[drawn], action[drawn])
            descent.step(loss)
        return loss.item()

    starts = [0, *episode_ends[:-1].tolist()]
    rows_of = [torch.arange(start, int(end)) for start, end in zip(starts, episode_ends, strict=True)]
    pool = Pool(np.add.reduceat(rewards, starts), config.filter)
    count = max(1, math.ceil(config.picked * len(rows_of)))
    step, stage = min(config.steps, limit or config.steps), 0
    loss = train(torch.arange(len(action)), step)
    best, kept = float("-inf"), Cloned(to_policy(parameters, spec), step, step, loss, float("nan"))
    while pool.left and (limit is None or step < limit):
        picked = pool.pick(_scores(parameters, observation, action, [rows_of[e] for e in pool.left]), count)
        steps = config.steps_per_stage if limit is None else min(config.steps_per_stage, limit - step)
        loss = train(torch.cat([rows_of[episode] for episode in picked]), steps)
        step, stage = step + steps, stage + 1
        progress(step, loss, len(pool.left))
        if stage % config.stages_per_epoch == 0:
            pool.raise_bar(picked)
        value = assess(to_policy(parameters, spec))
        if value > best:
            best, kept = value, Cloned(to_policy(parameters, spec), step, step, loss, float("nan"))
    return replace(kept, steps=step)


@torch.no_grad()
def _scores(parameters: Parameters, observation: Tensor, action: Tensor, episodes: list[Tensor]) -> FloatArray:
    """One score per episode, as `QUANTILE` says."""
    mean, log_std = distribution(parameters, observation)
    z = (action - mean) * (-log_std).exp()
    likelihood = -(0.5 * z.square() + log_std).sum(-1)
    scores: FloatArray = np.array([likelihood[rows].quantile(1.0 - QUANTILE).item() for rows in episodes])
    return scores
