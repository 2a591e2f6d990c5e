"""Gradient steps on an actor's weights, shared by whatever fits an actor to given actions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Descent:
    """Adam with torch's defaults, in place.

    Args:
        weights: to change; from now on they require gradients.
        learning_rate: of the first step.
        steps: over which the rate decays linearly to zero; None keeps it constant.
    """

    def __init__(self, weights: Iterable[Tensor], learning_rate: float, steps: int | None = None) -> None:
        self._weights = [weight.requires_grad_() for weight in weights]
        self._adam = torch.optim.Adam(self._weights, lr=learning_rate)
        self._decay = None if steps is None else torch.optim.lr_scheduler.LinearLR(self._adam, 1.0, 0.0, steps)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of the scalar `loss`; weights that it does not depend on stay."""
        gradients = torch.autograd.grad(loss, self._weights, allow_unused=True)
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = gradient
        self._adam.step()
        if self._decay is not None:
            self._decay.step()
