"""Everything a learner changes: networks, their targets, the temperature, and Adam's memory of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.learner.optimizer import Moments
from porl_robot.methods.critics import random_critics
from porl_robot.policy.network import Parameters, to_parameters, trainable
from porl_robot.policy.spec import Policy


@dataclass(frozen=True, slots=True)
class LearnerState:
    """Tensors that updates change in place.

    Attributes:
        actor: see `porl_robot.policy.network`; `reference` is the frozen actor the run began with.
        critics, targets: stacked ensembles, see `porl_robot.methods.critics`.
        log_alpha: scalar.
    """

    actor: Parameters
    reference: Parameters
    critics: Parameters
    targets: Parameters
    log_alpha: Tensor
    actor_moments: Moments
    critic_moments: Moments
    alpha_moments: Moments

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor with a unique name, for checkpoints."""
        for group in ("actor", "reference", "critics", "targets"):
            for name, tensor in getattr(self, group).items():
                yield f"{group}.{name}", tensor
        yield "log_alpha", self.log_alpha
        for group in ("actor_moments", "critic_moments", "alpha_moments"):
            moments: Moments = getattr(self, group)
            for kind, tensors in (("first", moments.first), ("second", moments.second)):
                for i, tensor in enumerate(tensors):
                    yield f"{group}.{kind}.{i}", tensor
            yield f"{group}.step", moments.step


def initial_state(
    policy: Policy,
    members: int,
    hidden: tuple[int, ...],
    alpha: float,
    rng: torch.Generator,
    device: torch.device,
) -> LearnerState:
    """A state with `policy` as actor and reference, and fresh critics. `rng` lives on the CPU."""
    actor = to_parameters(policy, device)
    spec = policy.spec
    critics = {
        name: tensor.to(device)
        for name, tensor in random_critics(members, spec.observation_size, spec.action_size, hidden, rng).items()
    }
    log_alpha = torch.tensor(math.log(alpha), device=device)
    targets = {name: tensor.clone() for name, tensor in critics.items()}
    for tensor in (*trainable(actor).values(), *critics.values(), log_alpha):
        tensor.requires_grad_()
    return LearnerState(
        actor=actor,
        reference=to_parameters(policy, device),
        critics=critics,
        targets=targets,
        log_alpha=log_alpha,
        actor_moments=Moments.zeros(trainable(actor).values()),
        critic_moments=Moments.zeros(critics.values()),
        alpha_moments=Moments.zeros([log_alpha]),
    )


def restart_critics(state: LearnerState, value: float) -> None:
    """Sets the value every critic and target starts from; only before the first update."""
    with torch.no_grad():
        state.critics["b_out"].fill_(value)
        state.targets["b_out"].fill_(value)
