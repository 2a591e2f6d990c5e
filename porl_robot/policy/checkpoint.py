"""A policy on disk: `policy.safetensors` beside `policy.json`, in a folder of its own or of a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.policy.spec import Policy, PolicySpec, weight_shapes

FORMAT_VERSION = 1
WEIGHTS = "policy.safetensors"
DESCRIPTION = "policy.json"


def save_policy(policy: Policy, folder: Path) -> None:
    """Writes the policy; the description, which names the hash of the weights, comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / WEIGHTS, save({k: np.ascontiguousarray(v) for k, v in policy.weights.items()}))
    description = {"format_version": FORMAT_VERSION, "hash": policy.hash, **asdict(policy.spec)}
    replace_file(folder / DESCRIPTION, json.dumps(description, indent=2).encode())


def load_policy(folder: Path) -> Policy:
    """Reads and verifies a policy.

    Raises:
        UserError: there is none, it is of another format version, or its files are damaged.
    """
    if not (folder / DESCRIPTION).is_file():
        raise UserError(f"policy {folder}: holds no {DESCRIPTION}; give a folder written by pretrain or finetune")
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        version = description["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"policy {folder}: {DESCRIPTION} is not a policy description") from error
    if version != FORMAT_VERSION:
        raise UserError(f"policy {folder}: format version {version!r}, this program reads {FORMAT_VERSION}")
    spec = _spec(description, folder)
    policy = Policy(spec, _weights(spec, folder))
    if policy.hash != description.get("hash"):
        raise UserError(f"policy {folder}: {WEIGHTS} does not match the hash in {DESCRIPTION}")
    return policy


def _spec(description: dict[str, Any], folder: Path) -> PolicySpec:
    try:
        return PolicySpec(
            env=str(description["env"]),
            observation_size=int(description["observation_size"]),
            action_size=int(description["action_size"]),
            control_hz=float(description["control_hz"]),
            hidden=tuple(int(width) for width in description["hidden"]),
            provenance=dict(description["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"policy {folder}: {DESCRIPTION} lacks or garbles {error}") from error


def _weights(spec: PolicySpec, folder: Path) -> dict[str, Any]:
    try:
        weights = load((folder / WEIGHTS).read_bytes())
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"policy {folder}: {WEIGHTS} is missing or damaged ({error})") from error
    expected = weight_shapes(spec)
    found = {name: array.shape for name, array in weights.items()}
    if found != expected:
        odd = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
        raise UserError(f"policy {folder}: {WEIGHTS} has {odd[0]} {found.get(odd[0])}, expected {expected.get(odd[0])}")
    foreign = [name for name, array in weights.items() if array.dtype != np.float32]
    if foreign:
        dtype = weights[foreign[0]].dtype
        raise UserError(f"policy {folder}: {WEIGHTS} holds {foreign[0]} as {dtype}, expected float32")
    broken = [name for name, array in weights.items() if not np.isfinite(array).all()]
    if broken:
        raise UserError(f"policy {folder}: {WEIGHTS} holds non-finite numbers in {broken[0]}")
    return {name: weights[name] for name in expected}
