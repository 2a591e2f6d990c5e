"""State dicts of a perceptron that the user declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration, Network
from porl_robot.policy.importing.mlp import Activation, Mlp, Output, linear_layers
from porl_robot.policy.importing.raw import Raw, of_mlp
from porl_robot.policy.importing.statistics import Statistics


def read(path: Path, declaration: Declaration) -> Raw:
    """A file from `torch.save(module.state_dict(), ...)` or safetensors, with the layers of `declaration.network`.

    Raises:
        UserError: the file holds anything but tensors, not the declared layers, or tensors that nobody has declared.
    """
    tensors = _tensors(path)
    network = declaration.network
    try:
        _require_declared(tensors, network)
        mlp = _declared(tensors, network)
        statistics = _statistics(tensors, network)
    except ValueError as error:
        raise UserError(f"source={path}: {error}") from error
    return of_mlp("state_dict", mlp, statistics=statistics)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of the file; those of nested dicts under dotted names."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the loader raises whatever the bytes lead it to
        raise UserError(
            f"source={path}: cannot be loaded as tensors only; expected torch.save(module.state_dict(), ...), a "
            "TorchScript module or an ONNX file (pickled modules can run code and are not loaded)"
        ) from error
    if not isinstance(held, Mapping):
        raise UserError(f"source={path}: holds a {type(held).__name__}, expected a state dict")
    return dict(_flat(held))


def _flat(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, Tensor):
            yield f"{prefix}{name}", value


def _require_declared(tensors: dict[str, Tensor], network: Network) -> None:
    """Refuses to leave out what may be part of the function, as a normalisation between layers is.

    Who names the layers has seen what else there is.
    """
    if network.layers is not None:
        return
    parts = {f"{name}.{part}" for name in _linear(tensors) for part in ("weight", "bias")}
    parts |= {network.observation_mean or "", network.observation_std or "", network.log_std or ""}
    rest = [name for name in tensors if name not in parts]
    if rest:
        raise ValueError(
            f"{', '.join(rest)}: no part of a linear layer; declare what they are (log_std=, "
            "observation_mean=, observation_std=), name the layers to be read without them (layers=[...]), or give the "
            "whole network as TorchScript"
        )


def _linear(tensors: dict[str, Tensor]) -> list[str]:
    """The names of the linear layers, in the order of the file."""
    matrices = (name for name, tensor in tensors.items() if name.endswith(".weight") and tensor.ndim == 2)
    return [name.removesuffix(".weight") for name in matrices]


def _declared(tensors: dict[str, Tensor], network: Network) -> Mlp:
    names = network.layers or [name for name in _linear(tensors) if name != network.log_std]
    if not names:
        raise ValueError("holds no linear layers (tensors NAME.weight with two dimensions)")
    # Declaration has seen that both are of their kinds.
    activation, output = cast(Activation, network.activation), cast(Output, network.output)
    layers = linear_layers(tensors, names)
    return Mlp(layers, activation, output, _log_std(tensors, network.log_std, *layers[-1][0].shape))


def _log_std(
    tensors: dict[str, Tensor], name: str | None, width: int, actions: int
) -> Tensor | tuple[Tensor, Tensor] | None:
    """`width`: of the last hidden layer."""
    if name is None:
        return None
    if name in tensors:
        vector = tensors[name].detach().float().flatten()
        if len(vector) not in (1, actions):
            raise ValueError(f"log_std={name} has {len(vector)} numbers; expected 1, or {actions} for as many actions")
        _require_finite(name, vector)
        return vector.expand(actions).clone()
    (head,) = linear_layers(tensors, [name])
    weight, bias = head
    if weight.shape != (width, actions):
        raise ValueError(
            f"log_std={name} makes {weight.shape[1]} numbers of {weight.shape[0]}; expected {actions} of the {width} "
            "of the last hidden layer"
        )
    _require_finite(name, weight, bias)
    return head


def _require_finite(name: str, *tensors: Tensor) -> None:
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise ValueError(f"log_std={name} is not finite")


def _statistics(tensors: dict[str, Tensor], network: Network) -> Statistics | None:
    if network.observation_mean is None or network.observation_std is None:
        return None
    mean = _named(tensors, "observation_mean", network.observation_mean)
    return Statistics(mean, _named(tensors, "observation_std", network.observation_std))


def _named(tensors: dict[str, Tensor], key: str, name: str) -> npt.NDArray[np.float64]:
    if name not in tensors:
        raise ValueError(f"holds no tensor {key}={name}; there are {', '.join(tensors)}")
    return tensors[name].detach().double().numpy().ravel()
