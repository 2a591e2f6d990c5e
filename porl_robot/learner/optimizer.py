"""Adam as a function on lists of tensors, so that one graph can hold a whole update."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """Adam's memory: first and second moments beside their parameters, and the number of steps taken (scalar)."""

    first: list[Tensor]
    second: list[Tensor]
    step: Tensor

    @classmethod
    def zeros(cls, parameters: Iterable[Tensor]) -> Moments:
        """For parameters that were never stepped."""
        parameters = list(parameters)
        first = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        second = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        return cls(first, second, torch.zeros((), device=parameters[0].device))


def adam_step(parameters: list[Tensor], gradients: tuple[Tensor, ...], moments: Moments, rate: Tensor) -> None:
    """One step of Adam (Kingma & Ba 2015, algorithm 1) in place. `rate`: scalar learning rate."""
    moments.step.add_(1)
    torch._foreach_lerp_(moments.first, gradients, 1 - _BETA1)
    torch._foreach_mul_(moments.second, _BETA2)
    torch._foreach_addcmul_(moments.second, gradients, gradients, 1 - _BETA2)
    corrected = torch.sqrt(1 - _BETA2**moments.step)
    denominators = torch._foreach_sqrt(moments.second)
    torch._foreach_div_(denominators, corrected)
    torch._foreach_add_(denominators, _EPSILON)
    steps = torch._foreach_div(moments.first, denominators)
    torch._foreach_mul_(steps, -rate / (1 - _BETA1**moments.step))
    torch._foreach_add_(parameters, steps)


def follow(targets: list[Tensor], parameters: list[Tensor], tau: Tensor) -> None:
    """Polyak averaging in place: `target += tau * (parameter - target)`. `tau`: scalar."""
    gaps = torch._foreach_sub(parameters, targets)
    torch._foreach_mul_(gaps, tau)
    torch._foreach_add_(targets, gaps)
