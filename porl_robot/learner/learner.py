"""One learner: state, randomness and method together, without any thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.errors import UsageError, UserError
from porl_robot.learner.backend import update_function
from porl_robot.learner.prioritised import Priorities
from porl_robot.learner.state import LearnerState, Sizes, initial_state, restart_critics
from porl_robot.learner.update import Coefficients, Losses, Metrics, Noise
from porl_robot.methods.critics import action_values, spread
from porl_robot.methods.method import Method
from porl_robot.methods.networks import Networks, Shape
from porl_robot.methods.replay_plans import Prioritised, ReplayPlan
from porl_robot.methods.schedules import Progress
from porl_robot.methods.targets import return_bounds
from porl_robot.methods.warm_up import Fit, rank_correlation
from porl_robot.policy.inference import Agent, PolicyRunner
from porl_robot.policy.network import distribution, normalise, to_policy
from porl_robot.policy.spec import Policy
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.seeds import Stream, derive

_FIT_BLOCK = 8


@dataclass(frozen=True, slots=True)
class LearnerConfig:
    """Sizes and pace.

    Attributes:
        members: critics in the ensemble, where the method does not say. hidden: widths of their layers.
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
        policy: the actor to begin with.
        buffer: where transitions come from.
        reward_bounds: smallest and largest reward of a step, or None.
        seed: of all its randomness.
        reference: the frozen policy beside the actor; None for the one it begins with.
        found: networks of a checkpoint to begin with, by name.

    Attributes:
        reference_policy: the frozen policy. reference: the same, to act with.
        initialised: groups of parameters that no checkpoint gave.
    """

    def __init__(
        self,
        method: Method,
        config: LearnerConfig,
        policy: Policy,
        buffer: ReplayBuffer,
        reward_bounds: tuple[float, float] | None,
        seed: int,
        reference: Policy | None = None,
        found: Networks | None = None,
    ) -> None:
        self.method, self.config, self.buffer = method, config, buffer
        self._spec, self.reference_policy = policy.spec, reference or policy
        self.reference = PolicyRunner(self.reference_policy)
        self._device = torch.device(config.device)
        self._members = method.critic.members or config.members
        if method.pairs_critics and self._members % 2:
            raise UsageError(
                f"method={method.name} pairs its critics: method.critic.members={self._members} must be even"
            )
        start = torch.Generator().manual_seed(derive(seed, Stream.CRITICS))
        self.state: LearnerState
        self.state, self.initialised = initial_state(
            policy,
            self.reference_policy,
            Sizes(self._members, tuple(config.hidden), buffer.offline + buffer.capacity),
            method.temperature.initial or 1.0,
            start,
            self._device,
            method.networks,
            self._kept(found or {}),
        )
        self.rng = torch.Generator(self._device).manual_seed(derive(seed, Stream.UPDATES))
        entropy = method.temperature.target_entropy
        self._losses = Losses(
            target=method.target,
            critic_loss=method.critic_loss,
            actor_loss=method.actor_loss,
            value_bounds=return_bounds(method.target.discount, reward_bounds),
            target_entropy=-float(policy.spec.action_size) if entropy is None else entropy,
        )
        buffer.value_bounds = self._losses.value_bounds
        self._reward_bounds = reward_bounds
        self._update = update_function(config.backend)
        plan = method.replay
        self._priorities = Priorities(plan, self.state, buffer) if isinstance(plan, Prioritised) else None
        self._weights: dict[str, float] = {}
        self._weighed_episodes = -1
        self.critic_updates = 0
        self.actor_updates = 0

    def block(self, rows: int, step: int | None) -> Metrics:
        """The updates one environment step is worth, from the first `rows` online transitions and the offline ones.

        `step` counts environment steps since the actor was unfrozen; None keeps it frozen.
        """
        return self._block(rows, step, self.config.updates_per_step)

    def offline_block(self) -> Metrics:
        """One critic update and one actor update from the offline transitions alone."""
        return self._block(0, 0, updates=1)

    def _block(self, rows: int, step: int | None, updates: int) -> Metrics:
        method = self.method
        train_actor = step is not None
        coefficients = self._coefficients(method.critic.learning_rate, method.critic.tau, self.weights(rows, step or 0))
        metrics = self._run(self._losses, method.replay, rows, updates, coefficients, train_actor)
        self.actor_updates += train_actor
        return metrics

    def fit(self, rows: int, fit: Fit, updates: int) -> None:
        """`updates` critic updates with the actor frozen. Before any other update, fresh critics are given a start."""
        if self.critic_updates == 0:
            returns = self.buffer.returns(self.method.target.discount)[:rows]
            restart_critics(self.state, self._fresh(), float(returns.mean()) if len(returns) else 0.0)
        coefficients = self._coefficients(fit.learning_rate, fit.tau, {})
        losses = replace(self._losses, critic_loss=fit.critic_loss or self.method.critic_loss)
        done = 0
        while done < updates:
            count = min(_FIT_BLOCK, updates - done)
            self._run(losses, fit.replay or self.method.replay, rows, count, coefficients, train_actor=False)
            done += count

    def rank_correlation(self, rows: int) -> float:
        """Spearman correlation of the mean Q with the returns over the finished episodes among `rows`."""
        returns = self.buffer.returns(self.method.target.discount)
        values = self._values(min(rows, len(returns)))
        return rank_correlation(values, returns[: len(values)])

    @torch.no_grad()
    def diagnose(self, rows: int) -> dict[str, float]:
        """Read-outs on the newest transitions among `rows`: Q and its spread, policy spread, distance to the start."""
        networks = self.state.networks
        recent = self.buffer.all(rows).observation[-256:]
        observation = normalise(networks["actor"], recent)
        mean, log_std = distribution(networks["actor"], observation)
        reference_mean, _ = distribution(networks["reference"], observation)
        values = action_values(networks["critics"], observation, mean.tanh())
        reference_values = action_values(networks["critics"], observation, reference_mean.tanh())
        return {
            "q_mean": values.mean().item(),
            "q_std": spread(values).mean().item(),
            "q_gain": (values - reference_values).mean().item(),
            "log_std_mean": log_std.mean().item(),
            "anchor_distance": (mean.tanh() - reference_mean.tanh()).norm(dim=-1).mean().item(),
            "alpha": networks["temperature"]["log_alpha"].exp().item(),
        }

    def policy(self) -> Policy:
        """A copy of the actor now.

        Raises:
            UserError: it is not finite.
        """
        policy = to_policy(self.state.networks["actor"], self._spec)
        for name, array in policy.weights.items():
            if not np.isfinite(array.sum()):
                raise UserError(
                    f"the actor is no longer finite ({name}) after {self.actor_updates} updates; smaller "
                    "learning rates are the usual remedy"
                )
        return policy

    def agent(self, policy: Policy) -> Agent:
        """What acts with `policy` as actor, as the networks stand now."""
        runner = PolicyRunner(policy)
        behaviour = self.method.behaviour
        if behaviour is None:
            return runner
        if not self.actor_updates:
            return behaviour.beginner(runner, self.reference)
        return behaviour.agent(runner, self.reference, self.state.networks)

    def weights(self, rows: int, step: int) -> dict[str, float]:
        """Coefficients of the actor loss by name, `step` environment steps after unfreezing."""
        episodes = self.buffer.finished(rows)
        for name, schedule in self.method.actor_loss.schedules.items():
            if schedule.every_step or episodes != self._weighed_episodes or name not in self._weights:
                outcomes = () if schedule.every_step else self.buffer.outcomes(rows)
                self._weights[name] = schedule(Progress(step, outcomes, self._reward_bounds))
        self._weighed_episodes = episodes
        return self._weights

    def _kept(self, found: Networks) -> Networks:
        """What the method takes over from a checkpoint."""
        if self.method.critic.source == "random":
            return {}
        own = self.method.temperature.initial is not None
        return {group: parameters for group, parameters in found.items() if not (own and group == "temperature")}

    def _fresh(self) -> list[str]:
        """Values that no checkpoint gave."""
        if self.method.critic.source == "checkpoint":
            return ["critics"] if "offline_critics" in self.state.networks else []
        return [group for group in ("critics", "value", "reference_value") if group in self.state.networks]

    def _run(
        self,
        losses: Losses,
        replay: ReplayPlan,
        rows: int,
        updates: int,
        coefficients: Coefficients,
        train_actor: bool,
    ) -> Metrics:
        config, target, rng = self.config, self.method.target, self.rng
        if self.method.needs_returns:
            self.buffer.fill_returns(rows, target.discount)
        if self._priorities is not None:
            self._priorities.admit(rows)
        drawn = [
            replay.indices(self.buffer.offline, rows, config.batch_size, self.state.networks, rng)
            for _ in range(updates)
        ]
        indices = torch.cat(drawn)
        batch = self.buffer.gather(indices, rows, (updates, config.batch_size), target.discount, target.n_step)
        shape = Shape(updates, config.batch_size, self._spec.action_size, self._members)
        noise = Noise(
            target.draw(shape, rng),
            losses.critic_loss.draw(shape, rng),
            losses.actor_loss.draw(shape, rng) if train_actor else {},
        )
        self.critic_updates += updates
        metrics = self._update(losses, self.state, batch, noise, coefficients, train_actor)
        if self._priorities is not None:
            self._priorities.refresh(batch, indices, rows, coefficients.critic_rate, rng)
        return metrics

    def _coefficients(self, critic_rate: float, tau: float, weights: dict[str, float]) -> Coefficients:
        method = self.method
        return Coefficients(
            critic_rate=self._scalar(critic_rate),
            tau=self._scalar(tau),
            actor_rate=self._scalar(method.actor.learning_rate),
            alpha_rate=self._scalar(method.temperature.learning_rate),
            weights={name: self._scalar(value) for name, value in weights.items()},
        )

    def _scalar(self, value: float) -> Tensor:
        return torch.tensor(value, device=self._device)

    @torch.no_grad()
    def _values(self, rows: int) -> FloatArray:
        batch = self.buffer.all(rows)
        networks = self.state.networks
        observation = normalise(networks["actor"], batch.observation)
        values: FloatArray = action_values(networks["critics"], observation, batch.action).mean(0).cpu().numpy()
        return values
