"""What an actor minimises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from porl_robot.methods.anchors import DataCloning, ModeDistance, SpeedLimit
from porl_robot.methods.critics import action_values, values
from porl_robot.methods.heads import pair_minima
from porl_robot.methods.networks import Context, Networks, Shape, Tensors, normal, sampled_actions
from porl_robot.methods.schedules import Scaled, Schedule
from porl_robot.policy.network import distribution, log_density
from porl_robot.replay.buffer import Batch


@dataclass(frozen=True, slots=True)
class ActorTerms:
    """What one update has to know.

    Attributes:
        loss: scalar. value: what the critics say of the actions, scalar.
        log_prob: log-densities (B,) of sampled actions, where the temperature can be tuned to them.
        slope: new running root mean square of |dQ/da|, where it is kept.
    """

    loss: Tensor
    value: Tensor
    log_prob: Tensor | None = None
    slope: Tensor | None = None


class ActorLoss(Protocol):
    """A loss of the actor; each group gets the gradient of its own terms only."""

    @property
    def trains(self) -> tuple[str, ...]:
        """Groups that take a step."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Its coefficients by name; they arrive as `Context.weights`."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        """Randomness of one update."""

    def __call__(self, networks: Networks, rows: Batch, noise: Tensors, context: Context) -> ActorTerms:
        """The loss on normalised rows (B,)."""


_SLOPE_RATE = 0.01

Aggregate = Literal["mean", "min", "pairs"]


def aggregate(values: Tensor, how: Aggregate) -> Tensor:
    """One value (B,) from those of the members (E, B): mean, minimum, or mean of the pairs' minima."""
    if how == "mean":
        return values.mean(0)
    return values.amin(0) if how == "min" else pair_minima(values).mean(0)


def _running(average: Tensor, now: Tensor) -> Tensor:
    """The average moved by `_SLOPE_RATE`; begins at the first value."""
    return torch.where(average > 0.0, average.lerp(now, _SLOPE_RATE), now)


def _require_aggregate(value: str) -> None:
    if value not in ("mean", "min", "pairs"):
        raise ValueError(f"actor_loss.value {value!r} is none of 'mean', 'min', 'pairs'")


@dataclass(frozen=True, slots=True)
class SoftActorCritic:
    """`mean(alpha * log pi - Q)`, Q aggregated over the ensemble (Haarnoja et al. 2018; mean as in RLPD).

    Attributes:
        value: how the members' values become one.
        anchor: what ties the actor to the policy it began as, or None.
    """

    value: Aggregate = "mean"
    anchor: ModeDistance | None = None

    def __post_init__(self) -> None:
        _require_aggregate(self.value)

    @property
    def trains(self) -> tuple[str, ...]:
        return ("actor",)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("slope",) if self.anchor else ()

    @property
    def schedules(self) -> dict[str, Schedule]:
        return {"radius": self.anchor.radius} if self.anchor else {}

    def narrowed(self, factor: float) -> SoftActorCritic:
        """With the anchor's radius times `factor`."""
        if self.anchor is None:
            return self
        return replace(self, anchor=replace(self.anchor, radius=Scaled(self.anchor.radius, factor)))

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {"action": normal(rng, 1, shape.batch, shape.action)}

    def __call__(self, networks: Networks, rows: Batch, noise: Tensors, context: Context) -> ActorTerms:
        (action,), (log_prob,) = sampled_actions(networks["actor"], rows.observation, noise["action"])
        entropy_cost = (networks["temperature"]["log_alpha"].exp().detach() * log_prob).mean()
        if self.anchor is None:
            value = aggregate(action_values(networks["critics"], rows.observation, action), self.value).mean()
            return ActorTerms(entropy_cost - value, value.detach(), log_prob)
        # Q enters by its slope at the sampled actions, which gives the actor the gradient of Q itself.
        leaf = action.detach().requires_grad_()
        values = aggregate(action_values(networks["critics"], rows.observation, leaf), self.value)
        (slope,) = torch.autograd.grad(values.sum(), leaf)
        running = _running(networks["slope"]["rms"], slope.square().sum(-1).mean().sqrt())
        pull = running / (2.0 * context.weights["radius"]) * self.anchor(networks, rows.observation)
        loss = entropy_cost - (slope * action).sum(-1).mean() + pull
        return ActorTerms(loss, values.mean().detach(), log_prob, running)


@dataclass(frozen=True, slots=True)
class DeterministicPolicy:
    """`-Q(s, mode) / scale` with what holds it back (TD3, Fujimoto et al. 2018; TD3+BC, Fujimoto & Gu 2021).

    Attributes:
        value: how the members' values become one.
        normalise: scale is the mean of |Q| over the batch instead of 1.
        cloning: distance to the actions of the batch, or None.
        speed_limit: bound on the distance to the averaged actor, or None.
        blend: with it, `(1 - k) Q_offline + k Q` of the first members counts (OPT); k against steps.
    """

    value: Aggregate = "mean"
    normalise: bool = True
    cloning: DataCloning | None = None
    speed_limit: SpeedLimit | None = None
    blend: Schedule | None = None

    def __post_init__(self) -> None:
        _require_aggregate(self.value)

    @property
    def trains(self) -> tuple[str, ...]:
        return ("actor",) if self.speed_limit is None else ("actor", "multiplier")

    @property
    def networks(self) -> tuple[str, ...]:
        limited = () if self.speed_limit is None else ("average", "multiplier")
        return limited if self.blend is None else (*limited, "offline_critics")

    @property
    def schedules(self) -> dict[str, Schedule]:
        cloning = {"cloning": self.cloning.weight} if self.cloning else {}
        return cloning | ({"blend": self.blend} if self.blend else {})

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {}

    def __call__(self, networks: Networks, rows: Batch, noise: Tensors, context: Context) -> ActorTerms:
        action = distribution(networks["actor"], rows.observation)[0].tanh()
        value = self._value(networks, rows.observation, action, context)
        scale = value.abs().mean().detach().clamp_min(1e-6) if self.normalise else 1.0
        loss = -value.mean() / scale
        if self.cloning is not None:
            loss = loss + context.weights["cloning"] * self.cloning(action, rows.action)
        if self.speed_limit is not None:
            loss = loss + self.speed_limit(networks, rows.observation, action)
        return ActorTerms(loss, value.mean().detach())

    def _value(self, networks: Networks, observation: Tensor, action: Tensor, context: Context) -> Tensor:
        fresh = action_values(networks["critics"], observation, action)
        if self.blend is None:
            return aggregate(fresh, self.value)
        share = context.weights["blend"]
        return (1.0 - share) * action_values(networks["offline_critics"], observation, action)[0] + share * fresh[0]


@dataclass(frozen=True, slots=True)
class AdvantageWeighted:
    """`-log pi(a|s) * exp(A / temperature)`, the weight clipped (AWAC, Nair et al. 2020; IQL, equation 7).

    Attributes:
        temperature: what advantages are divided by.
        baseline: `value`: A = min target Q - V; `policy`: A = min Q(s, a) - min Q(s, sampled action).
        proposals: `data`: the actions of the batch; `composite`: the better of a sampled action and the reference's
            mode, drawn by softmax with `inverse_temperature` (PEX).
        largest_weight: the clip.
    """

    temperature: float
    baseline: Literal["value", "policy"]
    proposals: Literal["data", "composite"] = "data"
    inverse_temperature: float = 10.0
    largest_weight: float = 100.0

    def __post_init__(self) -> None:
        if self.baseline not in ("value", "policy"):
            raise ValueError(f"actor_loss.baseline {self.baseline!r} is neither 'value' nor 'policy'")
        if self.proposals not in ("data", "composite"):
            raise ValueError(f"actor_loss.proposals {self.proposals!r} is neither 'data' nor 'composite'")
        if not self.temperature > 0.0:
            raise ValueError(f"actor_loss.temperature {self.temperature} must be positive")

    @property
    def trains(self) -> tuple[str, ...]:
        return ("actor",)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("value",) if self.baseline == "value" else ()

    @property
    def schedules(self) -> dict[str, Schedule]:
        return {}

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        # Whether used or not: the rest of a run's random numbers does not depend on baseline and proposals.
        choice = torch.rand(shape.batch, generator=rng, device=rng.device)
        return {"action": normal(rng, 1, shape.batch, shape.action), "choice": choice}

    def __call__(self, networks: Networks, rows: Batch, noise: Tensors, context: Context) -> ActorTerms:
        with torch.no_grad():
            action = rows.action if self.proposals == "data" else self._composite(networks, rows, noise)
            advantage = action_values(networks["targets"], rows.observation, action).amin(0)
            advantage = advantage - self._baseline(networks, rows, noise)
            weight = (advantage / self.temperature).exp().clamp(max=self.largest_weight)
        mean, log_std = distribution(networks["actor"], rows.observation)
        return ActorTerms(-(weight * log_density(mean, log_std, action)).mean(), advantage.mean())

    def _baseline(self, networks: Networks, rows: Batch, noise: Tensors) -> Tensor:
        """The values that advantages are counted from, (B,)."""
        if self.baseline == "value":
            return values(networks["value"], rows.observation)[0]
        return action_values(networks["targets"], rows.observation, _sampled(networks, rows, noise)).amin(0)

    def _composite(self, networks: Networks, rows: Batch, noise: Tensors) -> Tensor:
        """A sampled action or the reference's mode, drawn by their values, (B, A)."""
        sampled = _sampled(networks, rows, noise)
        reference = distribution(networks["reference"], rows.observation)[0].tanh()
        value = action_values(networks["targets"], rows.observation, torch.stack([sampled, reference])).amin(0)
        take_reference = noise["choice"] < torch.sigmoid(self.inverse_temperature * (value[1] - value[0]))
        return torch.where(take_reference[:, None], reference, sampled)


def _sampled(networks: Networks, rows: Batch, noise: Tensors) -> Tensor:
    """An action of each state, (B, A)."""
    actions, _ = sampled_actions(networks["actor"], rows.observation, noise["action"])
    return actions[0]
