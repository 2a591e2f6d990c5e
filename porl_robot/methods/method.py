"""A method: one choice for every part. Built from a YAML of the `method` group."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from porl_robot.methods.actor_losses import ActorLoss, SoftActorCritic
from porl_robot.methods.behaviours import Composite
from porl_robot.methods.critic_losses import CriticLoss
from porl_robot.methods.explorers import Explorer
from porl_robot.methods.heads import PairMinimum
from porl_robot.methods.replay_plans import ReplayPlan, Uniform
from porl_robot.methods.targets import Bootstrap, Target
from porl_robot.methods.warm_up import WarmUp, require_rate, require_share
from porl_robot.policy.network import log_std_head


class _Part(Protocol):
    @property
    def networks(self) -> tuple[str, ...]: ...


REQUIREMENTS = ("policy", "critics", "offline_data")
"""What a method may ask the user for: a policy, critics beside it, a log whose transitions it keeps."""


@dataclass(frozen=True, slots=True)
class ActorInit:
    """Where the actor comes from and how it learns.

    Attributes:
        source: the given policy, or random weights.
        initial_std: constant standard deviation (before the tanh) the log-std head is reset to, trainable from there;
            None keeps the policy's own head.
        least_std: where the policy says how much its training data varied, it explores no more than that, but at least
            this much; None: by `initial_std` alone.
        learning_rate: of Adam.
    """

    source: Literal["checkpoint", "random"]
    initial_std: float | None
    learning_rate: float
    least_std: float | None = None

    def __post_init__(self) -> None:
        if self.source not in ("checkpoint", "random"):
            raise ValueError(f"actor.source {self.source!r} is neither 'checkpoint' nor 'random'")
        if self.initial_std is not None:
            try:
                log_std_head(self.initial_std)
            except ValueError as error:
                raise ValueError(f"actor.initial_std: {error}") from error
        if self.least_std is not None and not 0.0 < self.least_std <= (self.initial_std or 0.0):
            raise ValueError(f"actor.least_std {self.least_std} is outside (0, initial_std {self.initial_std}]")
        require_rate("actor.learning_rate", self.learning_rate)

    def std_for(self, own: float | None) -> float | None:
        """`initial_std` for a policy whose own median std is `own`, None where it says nothing of it."""
        if self.initial_std is None or self.least_std is None or own is None:
            return self.initial_std
        return min(self.initial_std, max(self.least_std, own))


@dataclass(frozen=True, slots=True)
class CriticTraining:
    """Where critics come from and how they follow their targets.

    Attributes:
        learning_rate: of Adam. tau: Polyak rate of the target critics.
        source: random weights, or those beside the policy.
        members: critics in the ensemble; None for as many as the learner has by default.
    """

    learning_rate: float
    tau: float
    source: Literal["random", "checkpoint"] = "random"
    members: int | None = None

    def __post_init__(self) -> None:
        require_rate("critic.learning_rate", self.learning_rate)
        require_share("critic.tau", self.tau)
        if self.source not in ("random", "checkpoint"):
            raise ValueError(f"critic.source {self.source!r} is neither 'random' nor 'checkpoint'")
        if self.members is not None and self.members < 1:
            raise ValueError(f"critic.members {self.members} must be at least 1")


@dataclass(frozen=True, slots=True)
class Temperature:
    """The entropy bonus of soft actor-critic, tuned towards a target entropy.

    Attributes:
        initial: alpha at the start; None takes it from the checkpoint of the critics.
        learning_rate: of Adam on log alpha; 0 fixes alpha.
        target_entropy: [nats]; None means minus the number of action dimensions.
    """

    initial: float | None
    learning_rate: float
    target_entropy: float | None = None

    def __post_init__(self) -> None:
        if self.initial is not None and not self.initial > 0.0:
            raise ValueError(f"temperature.initial {self.initial} must be positive")
        require_rate("temperature.learning_rate", self.learning_rate)


@dataclass(frozen=True, slots=True)
class Method:
    """A composition of parts; nothing that runs it asks for its name.

    Attributes:
        requires: what the user has to give, of `REQUIREMENTS`, checked before anything moves.
        behaviour: what acts; None for the actor alone.
        offline_updates: critic updates of its pre-training on a log; None where it has no such phase.
        pretraining: the method that `pretrain` is advised to run for the policy this one begins with.
    """

    name: str
    requires: tuple[str, ...]
    actor: ActorInit
    explorer: Explorer
    target: Target
    critic_loss: CriticLoss
    critic: CriticTraining
    actor_loss: ActorLoss
    temperature: Temperature
    warm_up: WarmUp
    replay: ReplayPlan = field(default_factory=Uniform)
    behaviour: Composite | None = None
    offline_updates: int | None = None
    pretraining: str = "bc"

    def __post_init__(self) -> None:
        for item in self.requires:
            if item not in REQUIREMENTS:
                raise ValueError(f"requires {item!r}: expected some of {', '.join(REQUIREMENTS)}")
        if self.offline_updates is not None and self.offline_updates < 1:
            raise ValueError(f"offline_updates {self.offline_updates} must be at least 1")

    @property
    def networks(self) -> frozenset[str]:
        """Groups of parameters its parts ask for beyond actor, reference, critics, targets and temperature."""
        parts: list[_Part | None] = [self.target, self.critic_loss, self.actor_loss, self.replay, self.behaviour]
        if self.warm_up.fit is not None:
            parts += [self.warm_up.fit.critic_loss, self.warm_up.fit.replay]
        return frozenset(group for part in parts if part is not None for group in part.networks)

    def suited_to(self, own_std: float | None) -> Method:
        """The method for a policy of that median std: less noise, and the anchor's radius less by the same factor."""
        std = self.actor.std_for(own_std)
        if std is None or std == self.actor.initial_std:
            return self
        assert self.actor.initial_std is not None
        loss = self.actor_loss
        if isinstance(loss, SoftActorCritic):
            loss = loss.narrowed(std / self.actor.initial_std)
        return replace(self, actor=replace(self.actor, initial_std=std), actor_loss=loss)

    @property
    def begins_as_given(self) -> bool:
        """Whether the given policy is what acts until the actor's first update."""
        if self.behaviour is not None and self.behaviour.warm_up == "reference":
            return True
        return self.actor.source == "checkpoint"

    @property
    def pairs_critics(self) -> bool:
        """Whether critics count in pairs."""
        by_target = isinstance(self.target, Bootstrap) and isinstance(self.target.heads, PairMinimum)
        return by_target or getattr(self.actor_loss, "value", None) == "pairs"

    @property
    def needs_returns(self) -> bool:
        """Whether its rows have to carry discounted returns."""
        fit = self.warm_up.fit
        fitted = fit is not None and fit.critic_loss is not None and fit.critic_loss.needs_returns
        return self.critic_loss.needs_returns or fitted
