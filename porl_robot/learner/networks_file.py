"""Critics on disk, beside the policy they belong to: `critics.safetensors`."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.learner.learner import Learner
from porl_robot.methods.critics import require_stack
from porl_robot.methods.networks import Networks
from porl_robot.policy.spec import Policy

CRITICS = "critics.safetensors"
_GROUPS = ("critics", "targets", "value", "reference_value", "temperature")


def save_networks(learner: Learner, folder: Path) -> None:
    """Writes critics, their targets, state values and temperature."""
    tensors = {
        f"{group}.{name}": tensor.detach().cpu().contiguous().clone()
        for group in _GROUPS
        for name, tensor in learner.state.networks.get(group, {}).items()
    }
    replace_file(folder / CRITICS, save(tensors))


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
    # Moments of an optimiser go by position, so the order must not depend on the file.
    for name in sorted(tensors):
        group, _, key = name.partition(".")
        networks.setdefault(group, {})[key] = tensors[name]
    _require_whole(networks, folder, policy)
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise UserError(f"policy {folder}: {CRITICS} holds non-finite numbers in {broken[0]}")
    return networks


def _require_whole(networks: Networks, folder: Path, policy: Policy) -> None:
    observation, action = policy.spec.observation_size, policy.spec.action_size
    missing = sorted({"critics", "targets", "temperature"} - networks.keys())
    if missing or "log_alpha" not in networks["temperature"]:
        raise UserError(f"policy {folder}: {CRITICS} has no {missing[0] if missing else 'temperature.log_alpha'}")
    for group, parameters in networks.items():
        if group == "temperature":
            continue
        try:
            require_stack(parameters, observation + (action if group in ("critics", "targets") else 0))
        except ValueError as error:
            raise UserError(f"policy {folder}: {CRITICS} does not fit the policy: {group}.{error}") from error
