"""The tanh-Gaussian actor in torch: the same function as `inference.PolicyRunner`, with gradients and in batches."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.spec import (
    LOG_STD_RANGE,
    OBSERVATION_CLIP,
    STD_FLOOR,
    Policy,
    PolicySpec,
    weight_shapes,
)

Parameters = dict[str, Tensor]

_LOG_2PI = math.log(2 * math.pi)
_FROZEN = ("observation.mean", "observation.std")


def to_parameters(policy: Policy, device: torch.device | str = "cpu") -> Parameters:
    """A copy of the weights as tensors, always in the same order: moments of an optimiser go by position."""
    return {name: torch.tensor(policy.weights[name], device=device) for name in weight_shapes(policy.spec)}


def to_policy(parameters: Parameters, spec: PolicySpec) -> Policy:
    """A copy of the tensors as an immutable policy."""
    weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in parameters.items()}
    for array in weights.values():
        array.setflags(write=False)
    return Policy(spec, weights)


def trainable(parameters: Parameters) -> Parameters:
    """The parameters a learner may change: all but the observation statistics."""
    return {name: tensor for name, tensor in parameters.items() if name not in _FROZEN}


def random_parameters(spec: PolicySpec, rng: torch.Generator, observations: Tensor | None = None) -> Parameters:
    """A fresh actor with torch's customary uniform +-1/sqrt(fan in), on the CPU.

    Its observation statistics are those of `observations` (N, D), or zero and one.
    """
    parameters: Parameters = {}
    for name, shape in weight_shapes(spec).items():
        if name in _FROZEN:
            parameters[name] = torch.full(shape, 1.0 if name.endswith("std") else 0.0)
            continue
        layer = name.removesuffix(".weight").removesuffix(".bias")
        fan_in = weight_shapes(spec)[f"{layer}.weight"][0]
        parameters[name] = (torch.rand(shape, generator=rng) * 2 - 1) / math.sqrt(fan_in)
    if observations is not None:
        parameters["observation.mean"] = observations.mean(0).cpu()
        parameters["observation.std"] = observations.std(0).clamp_min(STD_FLOOR).cpu()
    return parameters


def random_policy(spec: PolicySpec, seed: int, observations: Tensor | None = None) -> Policy:
    """`random_parameters` as a policy, its weights drawn from `seed` alone."""
    return to_policy(random_parameters(spec, torch.Generator().manual_seed(seed), observations), spec)


def log_std_head(std: float) -> float:
    """The value of the log-std head that gives `std`; the inverse of the sigmoid squashing.

    Raises:
        ValueError: `std` is outside the range the head can express.
    """
    low, high = LOG_STD_RANGE
    if not math.exp(low) < std < math.exp(high):
        raise ValueError(f"std {std} is outside ({math.exp(low):.4f}, {math.exp(high):.4f})")
    share = (math.log(std) - low) / (high - low)
    return math.log(share / (1.0 - share))


def median_std(policy: Policy, observations: FloatArray) -> float:
    """Median of the standard deviation before the tanh, over `observations` (N, D) and the dimensions of the action."""
    parameters = to_parameters(policy)
    with torch.no_grad():
        seen = normalise(parameters, torch.tensor(observations, dtype=torch.float32))
        _, log_std = distribution(parameters, seen)
    return float(log_std.exp().median())


def with_constant_std(policy: Policy, std: float | FloatArray) -> Policy:
    """The policy with its log-std head reset to a constant, of all dimensions or of each (A,).

    The mode stays, the sampled actions change.

    Raises:
        ValueError: see `log_std_head`.
    """
    weights = dict(policy.weights)
    weights["log_std.weight"] = np.zeros_like(weights["log_std.weight"])
    each = np.broadcast_to(std, weights["log_std.bias"].shape).tolist()
    weights["log_std.bias"] = np.array([log_std_head(value) for value in each], np.float32)
    return Policy(policy.spec, weights)


def normalise(parameters: Parameters, observations: Tensor) -> Tensor:
    """Observations (..., D) in standard deviations from the mean, clipped: what actor and critics see."""
    centred = (observations - parameters["observation.mean"]) / parameters["observation.std"]
    return centred.clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)


def distribution(parameters: Parameters, normalised: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation before the tanh, (B, A) each. Normalised observations: (B, D)."""
    x = normalised
    layer = 0
    while f"layers.{layer}.weight" in parameters:
        x = torch.addmm(parameters[f"layers.{layer}.bias"], x, parameters[f"layers.{layer}.weight"])
        x = x.relu()
        layer += 1
    mean = torch.addmm(parameters["mean.bias"], x, parameters["mean.weight"])
    head = torch.addmm(parameters["log_std.bias"], x, parameters["log_std.weight"])
    low, high = LOG_STD_RANGE
    return mean, low + (high - low) * torch.sigmoid(head)


def sample(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Reparameterised actions (..., A) in (-1, 1) and their log-densities (...,). Noise: standard normal (..., A)."""
    before_tanh = mean + log_std.exp() * noise
    return before_tanh.tanh(), _log_density(before_tanh, noise, log_std)


def _log_density(before_tanh: Tensor, noise: Tensor, log_std: Tensor) -> Tensor:
    """Of tanh(before_tanh), with the tanh's change of variables, summed over dimensions."""
    log_slope = 2.0 * (math.log(2.0) - before_tanh - torch.nn.functional.softplus(-2.0 * before_tanh))
    return (-0.5 * (noise.square() + _LOG_2PI) - log_std - log_slope).sum(-1)


def log_density(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """Log-density (B,) of given actions (B, A), taken as at most .99999 in size, where the tanh has an inverse."""
    before_tanh = torch.atanh(actions.clamp(-0.99999, 0.99999))
    noise = (before_tanh - mean) * (-log_std).exp()
    return _log_density(before_tanh, noise, log_std)
