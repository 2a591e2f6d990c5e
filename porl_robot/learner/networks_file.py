"""Critics on disk, beside the policy they belong to: `critics.safetensors`."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.learner.learner import Learner
from porl_robot.methods.networks import Networks
from porl_robot.policy.spec import Policy

CRITICS = "critics.safetensors"
_GROUPS = ("critics", "targets", "value", "reference_value", "temperature")
_FORMAT = "1"


def save_networks(learner: Learner, folder: Path) -> None:
    """Writes critics, their targets, state values and temperature."""
    tensors = {
        f"{group}.{name}": tensor.detach().cpu().contiguous().clone()
        for group in _GROUPS
        for name, tensor in learner.state.networks.get(group, {}).items()
    }
    metadata = {"format_version": _FORMAT, "method": learner.method.name, "policy": learner.policy().hash}
    replace_file(folder / CRITICS, save(tensors, metadata))


def load_networks(folder: Path, policy: Policy) -> Networks:
    """The networks beside `policy` in `folder`, by name.

    Raises:
        UserError: there are none, or they are damaged or of other spaces.
    """
    path = folder / CRITICS
    try:
        tensors = load(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"policy {folder}: holds no {CRITICS}") from error
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"policy {folder}: {CRITICS} is damaged ({error})") from error
    networks: Networks = {}
    for name, tensor in tensors.items():
        group, _, key = name.partition(".")
        networks.setdefault(group, {})[key] = tensor
    inputs = policy.spec.observation_size + policy.spec.action_size
    found = networks.get("critics", {}).get("w0")
    if found is None or found.dim() != 3 or found.shape[1] != inputs:
        shape = None if found is None else list(found.shape)
        raise UserError(f"policy {folder}: {CRITICS} has a first layer of {shape}, expected [critics, {inputs}, width]")
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise UserError(f"policy {folder}: {CRITICS} holds non-finite numbers in {broken[0]}")
    return networks
