"""Conservative critics: CQL (Kumar et al. 2020) and its calibrated form, Cal-QL (arXiv 2303.05479)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.methods.critic_losses import Targets, squared_error
from porl_robot.methods.critics import action_values
from porl_robot.methods.networks import Context, Networks, Shape, Tensors, normal, sampled_actions, uniform
from porl_robot.replay.buffer import Batch


@dataclass(frozen=True, slots=True)
class Conservative:
    """`(Q - y)^2 + weight * (logsumexp over sampled actions of Q - log density, minus Q(s, a))`, per member.

    Sampled at s: uniform actions, the actor's actions, and the actor's actions for the next state. Calibrated, the
    values of the actor's actions (not of the uniform ones) are not pushed below the return of the data; this comes
    before the log-density is taken off.

    Attributes:
        weight: of the conservative term.
        samples: actions of each of the three kinds.
        calibrated: Cal-QL; False is CQL.
        gap: Lagrange form: the weight is multiplied by a coefficient that grows while the difference exceeds this;
            None keeps the weight.
        floor: smallest difference that counts (CORL: -200).
    """

    weight: float = 1.0
    samples: int = 10
    calibrated: bool = True
    gap: float | None = None
    floor: float = -200.0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"critic_loss.samples {self.samples} must be at least 1")
        if not self.weight >= 0.0:
            raise ValueError(f"critic_loss.weight {self.weight} is negative")

    @property
    def banks(self) -> tuple[str, ...]:
        return ("critics",)

    @property
    def trains(self) -> tuple[str, ...]:
        return ("critics",) if self.gap is None else ("critics", "conservatism")

    @property
    def networks(self) -> tuple[str, ...]:
        return () if self.gap is None else ("conservatism",)

    @property
    def needs_returns(self) -> bool:
        return self.calibrated

    def draw(self, shape: Shape, rng: torch.Generator) -> Tensors:
        sizes = (shape.updates, self.samples, shape.batch, shape.action)
        return {"uniform": uniform(rng, *sizes), "now": normal(rng, *sizes), "next": normal(rng, *sizes)}

    def __call__(self, networks: Networks, rows: Batch, targets: Targets, noise: Tensors, context: Context) -> Tensor:
        error = squared_error(networks["critics"], rows, targets["critics"]).mean(1).sum()
        data = action_values(networks["critics"], rows.observation, rows.action)
        excess = (self._out_of_data(networks, rows, noise) - data).clamp(min=self.floor).mean(1)
        if self.gap is None:
            return error + self.weight * excess.sum()
        # The coefficient ascends on what the critics descend on.
        factor = networks["conservatism"]["log_weight"].exp().clamp(max=1e6)
        term = self.weight * (excess - self.gap)
        return error + (factor.detach() * term - factor * term.detach()).sum()

    def _out_of_data(self, networks: Networks, rows: Batch, noise: Tensors) -> Tensor:
        """`log of the integral of exp Q` by importance sampling, (E, B)."""
        with torch.no_grad():
            now, log_now = sampled_actions(networks["actor"], rows.observation, noise["now"])
            following, log_next = sampled_actions(networks["actor"], rows.next_observation, noise["next"])
        actions = torch.cat([noise["uniform"], now, following])
        value = action_values(networks["critics"], rows.observation, actions)
        by_chance, by_actor = value[:, : self.samples], value[:, self.samples :]
        if self.calibrated:
            by_actor = by_actor.maximum(rows.returns)
        log_uniform = -actions.shape[-1] * math.log(2.0)
        densities = torch.cat([log_now, log_next])
        return torch.logsumexp(torch.cat([by_chance - log_uniform, by_actor - densities], 1), 1)
