"""Multi-layer perceptrons from elsewhere, and which of them are our actor under other names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from porl_robot.command import FloatArray
from porl_robot.policy.importing.statistics import Statistics
from porl_robot.policy.network import log_std_head
from porl_robot.policy.spec import LOG_STD_RANGE, STD_FLOOR, Policy, PolicySpec

Float32 = npt.NDArray[np.float32]
Activation = Literal["relu", "tanh", "elu", "silu", "gelu", "leaky_relu", "sigmoid", "softplus"]
Output = Literal["tanh", "linear", "clip"]

DEFAULT_STD = 0.2
"""Standard deviation before the tanh of a policy whose source has none (docs/import.md)."""

_MARGIN = 1e-3  # the log-std head reaches the ends of its range only at infinity


@dataclass(frozen=True, slots=True)
class Mlp:
    """A perceptron as read from a file.

    Attributes:
        layers: weights (in, out) and biases (out,), from input to output.
        activation: between the layers.
        output: after the last one.
        log_std: the log standard deviation before the tanh: None, a vector (A,), or weight (H, A) and bias (A,) of a
            head on the last hidden layer.
        log_std_range: it is cut off at these.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    activation: Activation
    output: Output
    log_std: Tensor | tuple[Tensor, Tensor] | None = None
    log_std_range: tuple[float, float] = (-math.inf, math.inf)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Observation size, widths of the hidden layers, action size."""
        return (self.layers[0][0].shape[0], *(weight.shape[1] for weight, _ in self.layers))

    @property
    def is_our_actor(self) -> bool:
        """Whether the mean is what our actor computes: ReLU between at least two layers, tanh at the end."""
        return len(self.layers) > 1 and self.activation == "relu" and self.output == "tanh"

    def features(self, observations: Tensor) -> Tensor:
        """The last hidden layer. Observations (..., D), result (..., H)."""
        function = getattr(torch.nn.functional, self.activation)
        for weight, bias in self.layers[:-1]:
            observations = function(observations @ weight + bias)
        return observations

    def act(self, observation: Float32) -> Tensor:
        """The mean action: observation (D,), action (A,), cut off by nothing but a tanh."""
        weight, bias = self.layers[-1]
        end = self.features(torch.from_numpy(observation)) @ weight + bias
        return end.tanh() if self.output == "tanh" else end

    def log_stds(self, features: Tensor) -> Tensor | None:
        """Log standard deviations (N, A) before the tanh at the last hidden layer (N, H)."""
        if self.log_std is None:
            return None
        if isinstance(self.log_std, Tensor):
            return self.log_std.expand(len(features), -1).clamp(*self.log_std_range)
        weight, bias = self.log_std
        return (features @ weight + bias).clamp(*self.log_std_range)


def linear_layers(tensors: dict[str, Tensor], names: list[str]) -> tuple[tuple[Tensor, Tensor], ...]:
    """The named layers of a state dict, weights turned to (in, out). A missing bias is zero.

    Raises:
        ValueError: a name is not there or not a linear layer, or an output does not fit the next input.
    """
    layers: list[tuple[Tensor, Tensor]] = []
    for name in names:
        weight = tensors.get(f"{name}.weight")
        if weight is None or weight.ndim != 2:
            there = [each.removesuffix(".weight") for each in tensors if each.endswith(".weight")]
            raise ValueError(f"holds no linear layer {name}; there are {', '.join(there) or 'none'}")
        if layers and layers[-1][0].shape[1] != weight.shape[1]:
            raise ValueError(
                f"layer {name} takes {weight.shape[1]} numbers, the one before it gives {layers[-1][0].shape[1]}; name "
                f"the layers in order with layers=[...]; read were {', '.join(names)}"
            )
        bias = tensors.get(f"{name}.bias", torch.zeros(len(weight)))
        layers.append((weight.detach().float().T.contiguous(), bias.detach().float()))
    return tuple(layers)


def activation_named(name: str) -> Activation | None:
    """The activation of a torch class such as `LeakyReLU`."""
    plain = name.lower().replace("_", "")
    return next((each for each in get_args(Activation) if each.replace("_", "") == plain), None)


def convert(
    mlp: Mlp, observations: FloatArray, statistics: Statistics | None, indices: list[int] | None, spec: PolicySpec
) -> Policy:
    """The same mean as our actor; for a source with `is_our_actor` and actions in [-1, 1].

    The source sees x = (o[indices] - m) / s, our actor z = (o - M) / S. With M, S from `statistics` where the source
    has them and from the recorded `observations` (N, D) elsewhere, x = z S / s + (M - m) / s is folded into the first
    layer. Our log-std head is squashed by a sigmoid, the source's is not: it is fitted to the source's values at
    `observations` by least squares.
    """
    chosen = list(range(spec.observation_size)) if indices is None else indices
    mean, std = observations.mean(0), np.maximum(observations.std(0), STD_FLOOR)
    own_mean, own_std = np.zeros(len(chosen)), np.ones(len(chosen))
    if statistics is not None:
        own_mean, own_std = statistics.mean, statistics.std
        mean[chosen], std[chosen] = own_mean, np.maximum(own_std, STD_FLOOR)
    first, first_bias = (each.numpy().astype(np.float64) for each in mlp.layers[0])
    folded = np.zeros((spec.observation_size, first.shape[1]))
    folded[chosen] = (std[chosen] / own_std)[:, None] * first
    weights = {
        "observation.mean": mean,
        "observation.std": std,
        "layers.0.weight": folded,
        "layers.0.bias": first_bias + ((mean[chosen] - own_mean) / own_std) @ first,
        "mean.weight": mlp.layers[-1][0].numpy(),
        "mean.bias": mlp.layers[-1][1].numpy(),
    }
    for i, (weight, bias) in enumerate(mlp.layers[1:-1], start=1):
        weights |= {f"layers.{i}.weight": weight.numpy(), f"layers.{i}.bias": bias.numpy()}
    seen = torch.tensor((observations[:, chosen] - own_mean) / own_std, dtype=torch.float32)
    weights["log_std.weight"], weights["log_std.bias"] = _log_std(mlp, mlp.features(seen))
    return Policy(spec, {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()})


def _log_std(mlp: Mlp, features: Tensor) -> tuple[FloatArray, FloatArray]:
    """Weight (H, A) and bias (A,) of our head."""
    width, size = mlp.layers[-1][0].shape
    wanted = mlp.log_stds(features)
    if wanted is None:
        return np.zeros((width, size)), np.full(size, log_std_head(DEFAULT_STD))
    low, high = LOG_STD_RANGE
    share = (wanted.numpy().astype(np.float64).clip(low + _MARGIN, high - _MARGIN) - low) / (high - low)
    inputs = np.concatenate([features.numpy(), np.ones((len(features), 1))], axis=1)
    fitted: FloatArray = np.linalg.lstsq(inputs, np.log(share / (1.0 - share)), rcond=None)[0]
    return fitted[:-1], fitted[-1]
