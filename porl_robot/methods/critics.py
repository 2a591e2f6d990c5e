"""Stacked ensembles of value networks: every member in one batched matrix product."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Parameters = dict[str, Tensor]


def random_critics(
    members: int,
    input_size: int,
    hidden: tuple[int, ...],
    rng: torch.Generator,
    output_bias: float = 0.0,
) -> Parameters:
    """Fresh critics: `w<i>` (E, in, out), `b<i>` (E, 1, out), and a last layer `w_out` (E, 1, H), `b_out` (E, 1).

    Weights and biases are uniform in +-1/sqrt(fan in), torch's custom; `output_bias` is the value every member starts
    at. Inputs are observations, with actions behind them for action values.
    """
    sizes = (input_size, *hidden)
    parameters: Parameters = {}

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (torch.rand(shape, generator=rng) * 2 - 1) / math.sqrt(fan_in)

    for i, (n_in, n_out) in enumerate(zip(sizes, hidden, strict=False)):
        parameters[f"w{i}"] = uniform(members, n_in, n_out, fan_in=n_in)
        parameters[f"b{i}"] = uniform(members, 1, n_out, fan_in=n_in)
    parameters["w_out"] = uniform(members, 1, hidden[-1], fan_in=hidden[-1])
    parameters["b_out"] = torch.full((members, 1), output_bias)
    return parameters


def widths(parameters: Parameters) -> list[int]:
    """Units of the hidden layers that are there, from input to output."""
    depth = sum(name.startswith("w") for name in parameters) - 1
    return [parameters[f"w{i}"].shape[-1] for i in range(depth) if f"w{i}" in parameters]


def members_of(parameters: Parameters, indices: Tensor) -> Parameters:
    """The critics at `indices` (M,)."""
    return {name: tensor[indices] for name, tensor in parameters.items()}


def values(parameters: Parameters, inputs: Tensor) -> Tensor:
    """The output of every member, (E, N), for inputs (N, in).

    Layer normalisation without affine parameters and ReLU after every hidden layer.
    """
    x = inputs.expand(parameters["b_out"].shape[0], -1, -1)
    layer = 0
    while f"w{layer}" in parameters:
        x = torch.baddbmm(parameters[f"b{layer}"], x, parameters[f"w{layer}"])
        x = F.layer_norm(x, x.shape[-1:]).relu()
        layer += 1
    return (x * parameters["w_out"]).sum(-1) + parameters["b_out"]


def action_values(parameters: Parameters, observations: Tensor, actions: Tensor) -> Tensor:
    """Q of every member. Observations: (B, D), normalised; actions: (B, A) give (E, B), (n, B, A) give (E, n, B)."""
    if actions.dim() == 2:
        return values(parameters, torch.cat([observations, actions], -1))
    inputs = torch.cat([observations.expand(len(actions), -1, -1), actions], -1)
    outputs = values(parameters, inputs.flatten(0, 1))
    return outputs.view(len(outputs), *actions.shape[:2])


def spread(values: Tensor) -> Tensor:
    """Standard deviation over members: (E, ...) to (...); 0 for a single one."""
    return values.std(0, correction=min(1, len(values) - 1))


def require_stack(parameters: Parameters, input_size: int) -> None:
    """Refuses tensors that are not one whole ensemble for inputs of this size.

    Raises:
        ValueError: names the tensor and its shape.
    """
    hidden = widths(parameters)
    members = parameters["w_out"].shape[0] if "w_out" in parameters else 0
    expected = random_critics(members, input_size, tuple(hidden), torch.Generator()) if hidden else {}
    found = {name: tuple(tensor.shape) for name, tensor in parameters.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    odd = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if odd or not members or not hidden:
        name = odd[0] if odd else "w0"
        raise ValueError(f"{name} has shape {found.get(name)}, expected {wanted.get(name)} for {input_size} inputs")


def from_checkpoint(found: Parameters, members: int, rng: torch.Generator) -> Parameters:
    """`members` critics out of `found`. Those that it lacks repeat it with every weight changed by about 5 %.

    The change (our default) keeps copies from learning in step.
    """
    have = found["b_out"].shape[0]
    index = torch.arange(members) % have
    copied = {name: tensor[index].clone() for name, tensor in found.items()}
    for tensor in copied.values():
        tensor[have:] *= 1.0 + 0.05 * torch.randn(tensor[have:].shape, generator=rng)
    return copied


def without_actions(critics: Parameters, observation_size: int) -> Parameters:
    """One state value from the first critic: its value at the action zero, in the middle of the action space."""
    first = {name: tensor[:1].clone() for name, tensor in critics.items()}
    first["w0"] = first["w0"][:, :observation_size]
    return first
