"""One learner: state, randomness and method together, without any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from porl_robot.env import FloatArray
from porl_robot.errors import UserError
from porl_robot.learner.backend import update_function
from porl_robot.learner.state import LearnerState, initial_state, restart_critics
from porl_robot.learner.update import Coefficients, Losses, Metrics, Noise
from porl_robot.methods.critics import action_values
from porl_robot.methods.method import Method
from porl_robot.methods.warm_up import Fit, rank_correlation
from porl_robot.policy.network import distribution, normalise, to_policy
from porl_robot.policy.spec import Policy
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.seeds import Stream, derive

_FIT_BLOCK = 8


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """Sizes and pace.

    Attributes:
        members: critics in the ensemble. hidden: widths of their layers.
        batch_size: rows per update.
        updates_per_step: critic updates per environment step (update-to-data ratio).
        backend: `eager`, or `compile` (torch.compile; worth its start-up only in long runs).
        threads: torch's threads. device: `cpu` or `cuda`.
        lag: environment steps the learner may be behind in simulation; the policy in use is exactly so old.
    """

    members: int
    hidden: tuple[int, ...]
    batch_size: int
    updates_per_step: int
    backend: Literal["eager", "compile"]
    threads: int
    device: str
    lag: int

    def __post_init__(self) -> None:
        for name in ("members", "batch_size", "updates_per_step", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"learner.{name} {getattr(self, name)} must be at least 1")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"learner.hidden {list(self.hidden)} must be widths of at least 1")
        if self.lag < 0:
            raise ValueError(f"learner.lag {self.lag} is negative")
        if self.backend not in ("eager", "compile"):
            raise ValueError(f"learner.backend {self.backend!r} is neither 'eager' nor 'compile'")


class Learner:
    """Updates a state from a buffer.

    Args:
        method: the parts to compose.
        policy: the actor to begin with; also the frozen reference.
        buffer: where transitions come from.
        reward_bounds: smallest and largest reward of a step, or None.
        seed: of all its randomness.
    """

    def __init__(
        self,
        method: Method,
        config: LearnerConfig,
        policy: Policy,
        buffer: ReplayBuffer,
        reward_bounds: tuple[float, float] | None,
        seed: int,
    ) -> None:
        self.method, self.config, self.buffer = method, config, buffer
        self._spec = policy.spec
        self._device = torch.device(config.device)
        start = torch.Generator().manual_seed(derive(seed, Stream.CRITICS))
        self.state: LearnerState = initial_state(
            policy, config.members, config.hidden, method.temperature.initial, start, self._device
        )
        self.rng = torch.Generator(self._device).manual_seed(derive(seed, Stream.UPDATES))
        entropy = method.temperature.target_entropy
        self._losses = Losses(
            target=method.target,
            critic_loss=method.critic_loss,
            actor_loss=method.actor_loss,
            value_bounds=method.target.bounds(reward_bounds),
            target_entropy=-float(policy.spec.action_size) if entropy is None else entropy,
        )
        self._reward_span = reward_bounds[1] - reward_bounds[0] if reward_bounds else 1.0
        self._update = update_function(config.backend)
        self.critic_updates = 0
        self.actor_updates = 0

    def block(self, rows: int, step: int | None) -> Metrics:
        """The updates one environment step is worth, from the first `rows` transitions.

        `step` counts environment steps since the actor was unfrozen; None keeps it frozen.
        """
        method, config = self.method, self.config
        train_actor = step is not None
        coefficients = self._coefficients(
            critic_rate=method.critic.learning_rate, tau=method.critic.tau, step=step or 0
        )
        metrics = self._run(rows, config.updates_per_step, coefficients, train_actor)
        self.actor_updates += train_actor
        return metrics

    def fit(self, rows: int, fit: Fit, updates: int) -> None:
        """`updates` critic updates with the actor frozen. Calls before any other update begin at the mean return."""
        if self.critic_updates == 0:
            returns = self.buffer.returns(self.method.target.discount)
            restart_critics(self.state, float(returns.mean()) if len(returns) else 0.0)
        coefficients = self._coefficients(critic_rate=fit.learning_rate, tau=fit.tau, step=0)
        done = 0
        while done < updates:
            count = min(_FIT_BLOCK, updates - done)
            self._run(rows, count, coefficients, train_actor=False)
            done += count

    def rank_correlation(self, rows: int) -> float:
        """Spearman correlation of the mean Q with the returns over the finished episodes among `rows`."""
        returns = self.buffer.returns(self.method.target.discount)
        values = self._values(min(rows, len(returns)))
        return rank_correlation(values, returns[: len(values)])

    @torch.no_grad()
    def diagnose(self, rows: int) -> dict[str, float]:
        """Read-outs on the newest transitions among `rows`: Q and its spread, policy spread, distance to the start."""
        state = self.state
        recent = self.buffer.all(rows).observation[-256:]
        observation = normalise(state.actor, recent)
        mean, log_std = distribution(state.actor, observation)
        reference_mean, _ = distribution(state.reference, observation)
        values = action_values(state.critics, observation, mean.tanh())
        reference_values = action_values(state.critics, observation, reference_mean.tanh())
        return {
            "q_mean": values.mean().item(),
            "q_std": values.std(0).mean().item(),
            "q_gain": (values - reference_values).mean().item(),
            "log_std_mean": log_std.mean().item(),
            "anchor_distance": (mean.tanh() - reference_mean.tanh()).norm(dim=-1).mean().item(),
            "alpha": state.log_alpha.exp().item(),
        }

    def policy(self) -> Policy:
        """A copy of the actor now.

        Raises:
            UserError: it is not finite.
        """
        policy = to_policy(self.state.actor, self._spec)
        for name, array in policy.weights.items():
            if not np.isfinite(array.sum()):
                raise UserError(
                    f"the actor is no longer finite ({name}) after {self.actor_updates} updates; smaller "
                    "learning rates are the usual remedy"
                )
        return policy

    def anchor_weight(self, step: int) -> float:
        """Weight of the anchor [return units] `step` environment steps after unfreezing; 0 without an anchor."""
        anchor = self.method.actor_loss.anchor
        return anchor.weight(step) * self._reward_span if anchor else 0.0

    def _run(self, rows: int, updates: int, coefficients: Coefficients, train_actor: bool) -> Metrics:
        config = self.config
        batch = self.buffer.sample(rows, (updates, config.batch_size), self.rng)
        action_shape = batch.action.shape
        noise = Noise(
            next_action=torch.randn(action_shape, generator=self.rng, device=self._device),
            subsets=self.method.target.draw_subsets(updates, config.members, self.rng),
            action=torch.randn(action_shape[1:], generator=self.rng, device=self._device),
        )
        self.critic_updates += updates
        return self._update(self._losses, self.state, batch, noise, coefficients, train_actor)

    def _coefficients(self, critic_rate: float, tau: float, step: int) -> Coefficients:
        method = self.method
        return Coefficients(
            critic_rate=self._scalar(critic_rate),
            tau=self._scalar(tau),
            actor_rate=self._scalar(method.actor.learning_rate),
            alpha_rate=self._scalar(method.temperature.learning_rate),
            anchor=self._scalar(self.anchor_weight(step)),
        )

    def _scalar(self, value: float) -> Tensor:
        return torch.tensor(value, device=self._device)

    @torch.no_grad()
    def _values(self, rows: int) -> FloatArray:
        batch = self.buffer.all(rows)
        observation = normalise(self.state.actor, batch.observation)
        values: FloatArray = action_values(self.state.critics, observation, batch.action).mean(0).cpu().numpy()
        return values
