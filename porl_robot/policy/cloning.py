"""Behaviour cloning: maximum likelihood of the logged actions under a tanh-Gaussian actor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.descent import Descent
from porl_robot.policy.network import (
    Parameters,
    distribution,
    normalise,
    random_parameters,
    to_policy,
    trainable,
)
from porl_robot.policy.spec import Policy, PolicySpec

ACTION_CLIP = 0.99
"""Actions are clamped to this before the inverse tanh, which is infinite at 1."""

_HALF_LOG_2PI = 0.9189385332046727


@dataclass(frozen=True, slots=True)
class CloningConfig:
    """How to clone. The recipe is our default.

    Attributes:
        hidden: widths of the actor's hidden layers.
        batch_size: rows per step.
        learning_rate: of Adam, decayed linearly to zero over `steps`.
        validation_share: share of the episodes held out.
        validate_every: steps between two looks at the held-out episodes.
        steps: gradient steps by default.
        patience: stop after so many steps without a better validation loss, and keep the best policy; None trains to
            the end and keeps the last. None is the default because held-out likelihood says little about success: on
            arm_lift the best validation loss comes at step 100-600, where the policy succeeds .15-.4, against .6-.9
            for the last (docs/methods.md).
    """

    hidden: tuple[int, ...] = (128, 128)
    batch_size: int = 256
    learning_rate: float = 1e-3
    validation_share: float = 0.1
    validate_every: int = 100
    steps: int = 3000
    patience: int | None = None

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("batch_size", "validate_every", "steps")}
        require_recipe(self.hidden, self.learning_rate, counts)
        if not 0.0 <= self.validation_share <= 1.0:
            raise ValueError(f"validation_share {self.validation_share} is outside [0, 1]")
        if self.patience is not None and self.patience < self.validate_every:
            raise ValueError(f"patience {self.patience} is below validate_every {self.validate_every}")


@dataclass(frozen=True, slots=True)
class Cloned:
    """The outcome. Losses are negative log-likelihoods per step before the tanh [nats].

    Attributes:
        policy: the one that was kept. kept_step: after how many of the `steps` taken.
        train_loss: smoothed over the last steps. validation_loss: on the held-out episodes at `kept_step`.
    """

    policy: Policy
    steps: int
    kept_step: int
    train_loss: float
    validation_loss: float


def clone(
    observations: FloatArray,
    actions: FloatArray,
    episode_ends: npt.NDArray[np.int64],
    spec: PolicySpec,
    config: CloningConfig,
    steps: int,
    seed: int,
    progress: Callable[[int, float, float], None] = lambda step, train, validation: None,
) -> Cloned:
    """Fits a policy to `actions` (N, A) given `observations` (N, D).

    `episode_ends` (cumulative) keeps whole episodes on one side of the validation split. `progress` gets step,
    training loss and validation loss. Deterministic given `seed`.
    """
    rng = torch.Generator().manual_seed(seed)
    held_out = _held_out_rows(episode_ends, config.validation_share, seed)
    train, validation = (action_tensors(observations[rows], actions[rows]) for rows in (~held_out, held_out))
    parameters = random_parameters(spec, rng, train[0])
    train, validation = ((normalise(parameters, observation), action) for observation, action in (train, validation))
    descent = Descent(trainable(parameters).values(), config.learning_rate, steps)
    kept = Cloned(to_policy(parameters, spec), 0, 0, float("nan"), float("inf"))
    step, train_loss = 0, float("nan")
    while step < steps and (config.patience is None or step - kept.kept_step < config.patience):
        rows = torch.randint(len(train[0]), (config.batch_size,), generator=rng)
        loss = negative_log_likelihood(parameters, train[0][rows], train[1][rows])
        descent.step(loss)
        step += 1
        train_loss = loss.item() if step == 1 else 0.98 * train_loss + 0.02 * loss.item()
        if step % config.validate_every == 0 or step == steps:
            with torch.no_grad():
                validation_loss = negative_log_likelihood(parameters, *validation).item()
            progress(step, train_loss, validation_loss)
            if config.patience is None or validation_loss < kept.validation_loss:
                kept = Cloned(to_policy(parameters, spec), step, step, train_loss, validation_loss)
    return replace(kept, steps=step, train_loss=train_loss)


def require_recipe(hidden: tuple[int, ...], learning_rate: float, counts: Mapping[str, int]) -> None:
    """Refuses what no actor can be made or trained with.

    Raises:
        ValueError: one of `counts`, by name, or a width of `hidden` is below 1, or the learning rate not positive.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} {count} must be at least 1")
    if not hidden or min(hidden) < 1:
        raise ValueError(f"hidden {list(hidden)} must be widths of at least 1")
    if not learning_rate > 0.0:
        raise ValueError(f"learning_rate {learning_rate} must be positive")


def negative_log_likelihood(parameters: Parameters, normalised: Tensor, before_tanh: Tensor) -> Tensor:
    """Of the Gaussian before the tanh, whose change of variables does not depend on the parameters."""
    mean, log_std = distribution(parameters, normalised)
    z = (before_tanh - mean) * torch.exp(-log_std)
    return (0.5 * z.square() + log_std + _HALF_LOG_2PI).sum(-1).mean()


def action_tensors(observations: FloatArray, actions: FloatArray) -> tuple[Tensor, Tensor]:
    """Observations, and actions before the tanh."""
    clipped = np.clip(actions, -ACTION_CLIP, ACTION_CLIP)
    return (
        torch.tensor(observations, dtype=torch.float32),
        torch.atanh(torch.tensor(clipped, dtype=torch.float32)),
    )


def _held_out_rows(episode_ends: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """A mask over rows: at least one whole episode, never all."""
    episodes = len(episode_ends)
    count = min(max(1, round(share * episodes)), episodes - 1)
    chosen = np.random.default_rng(seed).permutation(episodes)[:count]
    lengths = np.diff(episode_ends, prepend=0)
    return np.repeat(np.isin(np.arange(episodes), chosen), lengths)
