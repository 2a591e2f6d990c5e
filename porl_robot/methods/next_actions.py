"""Which actions a target considers at the next state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from porl_robot.methods.networks import Networks, Shape, Tensors, normal, sampled_actions
from porl_robot.policy.network import distribution


@dataclass(frozen=True, slots=True)
class Candidates:
    """Actions (n, B, A) and their log-densities (n, B); NaN-free only where the action was sampled from the actor."""

    actions: Tensor
    log_prob: Tensor


class NextAction(Protocol):
    """A choice of candidates; a target takes the one of highest value."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        """Randomness of K updates."""

    def __call__(self, networks: Networks, next_observation: Tensor, noise: Tensors) -> Candidates:
        """Candidates at normalised observations (B, D). Noise: of one update."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Samples of the actor. With more than one, the best of them counts (Cal-QL and CQL: 10).

    Attributes:
        count: samples per state.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"next_action.count {self.count} must be at least 1")

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {"action": normal(rng, shape.updates, self.count, shape.batch, shape.action)}

    def __call__(self, networks: Networks, next_observation: Tensor, noise: Tensors) -> Candidates:
        return Candidates(*sampled_actions(networks["actor"], next_observation, noise["action"]))


@dataclass(frozen=True, slots=True)
class SmoothedMode:
    """The averaged actor's mode with clipped noise: target policy smoothing (TD3, Fujimoto et al. 2018, 5.3)."""

    noise: float = 0.2
    clip: float = 0.5

    @property
    def networks(self) -> tuple[str, ...]:
        return ("average",)

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {"action": normal(rng, shape.updates, shape.batch, shape.action)}

    def __call__(self, networks: Networks, next_observation: Tensor, noise: Tensors) -> Candidates:
        mean, _ = distribution(networks["average"], next_observation)
        offset = (self.noise * noise["action"]).clamp(-self.clip, self.clip)
        action = (mean.tanh() + offset).clamp(-1.0, 1.0)
        return Candidates(action[None], torch.zeros_like(action[None, ..., 0]))


@dataclass(frozen=True, slots=True)
class ActorOrReference:
    """A sample of the actor and the mode of the frozen reference, of which the better one counts (IBRL)."""

    @property
    def networks(self) -> tuple[str, ...]:
        return ()

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        return {"action": normal(rng, shape.updates, 1, shape.batch, shape.action)}

    def __call__(self, networks: Networks, next_observation: Tensor, noise: Tensors) -> Candidates:
        action, log_prob = sampled_actions(networks["actor"], next_observation, noise["action"])
        mean, _ = distribution(networks["reference"], next_observation)
        return Candidates(torch.cat([action, mean.tanh()[None]]), torch.cat([log_prob, log_prob]))
