"""Finding our actor inside a compiled module: its weights have names, its function can be tried."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.importing.mlp import Mlp, linear_layers
from porl_robot.policy.importing.raw import Raw
from porl_robot.policy.importing.statistics import Statistics

SAME = 1e-4
"""The guess is right where no action differs by more from the module's: rounding of float32."""

Guess = tuple[Mlp, Statistics | None]


def recognised(raw: Raw, observations: FloatArray) -> Guess | None:
    """The perceptron (ReLU, tanh at the end) that the policy's tensors are, and the statistics before it.

    None unless it computes the same actions as the policy at `observations` (N, D), which are as the policy sees them.
    """
    guess = _guess(raw.tensors or {})
    if guess is None or guess[0].sizes[0] != observations.shape[1]:
        return None
    mlp, statistics = guess
    for observation in observations:
        seen = observation if statistics is None else statistics.normalised(observation)
        given = raw.act(np.ascontiguousarray(observation, np.float32))
        own = mlp.act(np.ascontiguousarray(seen, np.float32))
        if not isinstance(given, Tensor) or given.numel() != own.numel():
            return None
        if not torch.allclose(given.flatten().float(), own, rtol=0.0, atol=SAME):
            return None
    return guess


def _guess(tensors: Mapping[str, Tensor]) -> Guess | None:
    """Every matrix a layer, in order, but for a head of standard deviations; vectors named mean and std normalise."""
    matrices = [name for name, tensor in tensors.items() if name.endswith(".weight") and tensor.ndim == 2]
    names = [name.removesuffix(".weight") for name in matrices if "log_std" not in name]
    try:
        mlp = Mlp(linear_layers(dict(tensors), names), "relu", "tanh")
    except ValueError:
        return None
    if len(mlp.layers) < 2:
        return None
    size = mlp.sizes[0]
    vectors = {name: tensor for name, tensor in tensors.items() if tensor.shape == (size,) and "bias" not in name}
    means, stds = (
        [tensor for name, tensor in vectors.items() if part in name.rpartition(".")[2]] for part in ("mean", "std")
    )
    if not means and not stds:
        return mlp, None
    if len(means) != 1 or len(stds) != 1 or not (stds[0] > 0.0).all():
        return None
    mean, std = (each.detach().numpy().astype(np.float64) for each in (means[0], stds[0]))
    return mlp, Statistics(mean, std)
