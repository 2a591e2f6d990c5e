"""Stacked ensembles of action-value networks: every member in one batched matrix product."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Parameters = dict[str, Tensor]


def random_critics(
    members: int,
    observation_size: int,
    action_size: int,
    hidden: tuple[int, ...],
    rng: torch.Generator,
    output_bias: float = 0.0,
) -> Parameters:
    """Fresh critics: `w<i>` (E, in, out), `b<i>` (E, 1, out), and a last layer `w_out` (E, 1, H), `b_out` (E, 1).

    Weights and biases are uniform in +-1/sqrt(fan in), torch's custom; `output_bias` is the value every member starts
    at.
    """
    sizes = (observation_size + action_size, *hidden)
    parameters: Parameters = {}

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (torch.rand(shape, generator=rng) * 2 - 1) / math.sqrt(fan_in)

    for i, (n_in, n_out) in enumerate(zip(sizes, hidden, strict=False)):
        parameters[f"w{i}"] = uniform(members, n_in, n_out, fan_in=n_in)
        parameters[f"b{i}"] = uniform(members, 1, n_out, fan_in=n_in)
    parameters["w_out"] = uniform(members, 1, hidden[-1], fan_in=hidden[-1])
    parameters["b_out"] = torch.full((members, 1), output_bias)
    return parameters


def members_of(parameters: Parameters, indices: Tensor) -> Parameters:
    """The critics at `indices` (M,)."""
    return {name: tensor[indices] for name, tensor in parameters.items()}


def action_values(parameters: Parameters, observations: Tensor, actions: Tensor) -> Tensor:
    """Q of every member, (E, B). Observations: (B, D), normalised; actions: (B, A).

    Layer normalisation without affine parameters and ReLU after every hidden layer.
    """
    x = torch.cat([observations, actions], -1)
    x = x.expand(parameters["b_out"].shape[0], -1, -1)
    layer = 0
    while f"w{layer}" in parameters:
        x = torch.baddbmm(parameters[f"b{layer}"], x, parameters[f"w{layer}"])
        x = F.layer_norm(x, x.shape[-1:]).relu()
        layer += 1
    return (x * parameters["w_out"]).sum(-1) + parameters["b_out"]
