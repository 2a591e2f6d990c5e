"""Zips of Stable-Baselines3, read as the data they are: JSON beside state dicts. The package is not needed."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration
from porl_robot.policy.importing.mlp import Activation, Mlp, activation_named, linear_layers
from porl_robot.policy.importing.raw import Raw, of_mlp

_LOG_STD_RANGE = (-20.0, 2.0)  # stable_baselines3.sac.policies
_NUMBER = re.compile(r"[-+]?(?:inf|\d+\.?\d*(?:e[-+]?\d+)?)")


def read(path: Path, declaration: Declaration) -> Raw:
    """The actor of a SAC, TD3, DDPG, PPO or A2C model with vector observations and continuous actions.

    SAC, TD3 and DDPG end in a tanh, whose [-1, 1] the package maps linearly onto the action space, as our envs do.
    PPO and A2C act in the units of their action space and cut off at its bounds.

    Raises:
        UserError: the file is no such zip, or its policy is of another form; says which.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
            tensors = torch.load(io.BytesIO(archive.read("policy.pth")), map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(f"source={path}: is not a model saved by Stable-Baselines3 (data and policy.pth)") from error
    try:
        _require_plain(data, tensors)
        layers = _names(tensors, r"actor\.latent_pi\.\d+|actor\.mu(\.\d+)?")
        return _off_policy(data, tensors, layers) if layers else _on_policy(data, tensors)
    except ValueError as error:
        raise UserError(f"source={path}: {error}") from error


def _require_plain(data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    for name in ("observation_space", "action_space"):
        space = data.get(name, {}).get(":type:", "none")
        if "Box" not in space:
            raise ValueError(f"its {name.replace('_', ' ')} is {space}; expected a Box")
    if len(data["observation_space"]["_shape"]) != 1:
        raise ValueError(f"it observes arrays of shape {data['observation_space']['_shape']}; expected a vector")
    if data.get("use_sde"):
        raise ValueError("it explores by gSDE, which is not read; export its actor as TorchScript or ONNX")
    odd = [name for name in tensors if "features_extractor" in name or "lstm" in name]
    if odd:
        raise ValueError(f"it has layers beside its perceptron ({odd[0]}); export its actor as TorchScript or ONNX")


def _off_policy(data: dict[str, Any], tensors: dict[str, Tensor], layers: list[str]) -> Raw:
    log_std = linear_layers(tensors, ["actor.log_std"])[0] if "actor.log_std.weight" in tensors else None
    mlp = Mlp(linear_layers(tensors, layers), _activation(data, "relu"), "tanh", log_std, _LOG_STD_RANGE)
    return of_mlp("sb3", mlp)


def _on_policy(data: dict[str, Any], tensors: dict[str, Tensor]) -> Raw:
    if "action_net.weight" not in tensors:
        raise ValueError(f"its policy is none of SAC, TD3, DDPG, PPO and A2C; it holds {', '.join(tensors)}")
    names = [*_names(tensors, r"mlp_extractor\.policy_net\.\d+"), "action_net"]
    size = len(tensors["action_net.bias"])
    low, high = (_bounds(data["action_space"][end], size) for end in ("low", "high"))
    mlp = Mlp(linear_layers(tensors, names), _activation(data, "tanh"), "clip")
    return of_mlp("sb3", mlp, action_range=(low, high))


def _names(tensors: dict[str, Tensor], pattern: str) -> list[str]:
    layers = (name.removesuffix(".weight") for name in tensors if name.endswith(".weight"))
    return [name for name in layers if re.fullmatch(pattern, name)]


def _activation(data: dict[str, Any], default: Activation) -> Activation:
    """Of `policy_kwargs`, where a class stands as in <class 'torch.nn.modules.activation.ReLU'>."""
    given = data.get("policy_kwargs", {}).get("activation_fn")
    if given is None:
        return default
    found = activation_named(str(given).strip("<>'").rpartition(".")[2])
    if found is None:
        raise ValueError(f"its activation is {given}; export its actor as TorchScript or ONNX")
    return found


def _bounds(printed: str, size: int) -> list[float]:
    """The numbers of an array as NumPy prints it."""
    values = [float(each) for each in _NUMBER.findall(printed)]
    if len(values) != size or not np.isfinite(values).all():
        raise ValueError(f"its action space is bounded by {printed}; expected {size} finite numbers")
    return values
