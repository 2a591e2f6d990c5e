"""A method: one choice for every part. Built from a YAML of the `method` group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.explorers import SampleFromPolicy
from porl_robot.methods.targets import MinOfRandomSubset
from porl_robot.methods.warm_up import WarmUp, require_rate, require_share
from porl_robot.policy.network import log_std_head


@dataclass(frozen=True, slots=True)
class ActorInit:
    """Where the actor comes from and how it learns.

    Attributes:
        source: the given policy, or random weights.
        initial_std: constant standard deviation (before the tanh) the log-std head is reset to, trainable from there;
            None keeps the policy's own head.
        learning_rate: of Adam.
    """

    source: Literal["checkpoint", "random"]
    initial_std: float | None
    learning_rate: float

    def __post_init__(self) -> None:
        if self.source not in ("checkpoint", "random"):
            raise ValueError(f"actor.source {self.source!r} is neither 'checkpoint' nor 'random'")
        if self.initial_std is not None:
            try:
                log_std_head(self.initial_std)
            except ValueError as error:
                raise ValueError(f"actor.initial_std: {error}") from error
        require_rate("actor.learning_rate", self.learning_rate)


@dataclass(frozen=True, slots=True)
class CriticTraining:
    """How critics follow their targets online: Adam's learning rate, and the Polyak rate of the target critics."""

    learning_rate: float
    tau: float

    def __post_init__(self) -> None:
        require_rate("critic.learning_rate", self.learning_rate)
        require_share("critic.tau", self.tau)


@dataclass(frozen=True, slots=True)
class Temperature:
    """The entropy bonus of soft actor-critic, tuned towards a target entropy.

    Attributes:
        initial: alpha at the start.
        learning_rate: of Adam on log alpha; 0 fixes alpha.
        target_entropy: [nats]; None means minus the number of action dimensions.
    """

    initial: float
    learning_rate: float
    target_entropy: float | None

    def __post_init__(self) -> None:
        if not self.initial > 0.0:
            raise ValueError(f"temperature.initial {self.initial} must be positive")
        require_rate("temperature.learning_rate", self.learning_rate)


@dataclass(frozen=True, slots=True)
class Method:
    """A composition of parts; nothing that runs it asks for its name.

    Attributes:
        requires: what the user has to give (`policy`), checked before anything moves.
    """

    name: str
    requires: tuple[str, ...]
    actor: ActorInit
    explorer: SampleFromPolicy
    target: MinOfRandomSubset
    critic_loss: TemporalDifference
    critic: CriticTraining
    actor_loss: SoftActorCritic
    temperature: Temperature
    warm_up: WarmUp
