"""A policy as data: what it fits and its weights. Immutable, and independent of any framework."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from porl_robot.env import RobotEnv
from porl_robot.errors import UserError

Weights = Mapping[str, npt.NDArray[np.float32]]

LOG_STD_RANGE = (-5.0, 1.0)
"""Bounds of the log standard deviation before the tanh; the head is squashed into them by a sigmoid."""

OBSERVATION_CLIP = 10.0
"""Normalised observations are clipped to this many standard deviations."""

STD_FLOOR = 1e-2
"""Smallest standard deviation an observation is divided by."""


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a policy was made for.

    Attributes:
        env: name of the task.
        observation_size, action_size: D and A.
        control_hz: control rate [1/s].
        hidden: widths of the hidden layers.
        provenance: how it came to be (method, seed, hash of the log, ...); free-form, but `median_std` is how much its
            training data varied (`policy.network.median_std`), by which a method may choose its noise.
    """

    env: str
    observation_size: int
    action_size: int
    control_hz: float
    hidden: tuple[int, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # 20 and 20.0 are one rate; they must have one hash.
        object.__setattr__(self, "control_hz", float(self.control_hz))


@dataclass(frozen=True, slots=True)
class Policy:
    """A tanh-Gaussian policy.

    Attributes:
        spec: what it was made for.
        weights: float32 arrays. `layers.<i>.weight` (in, out) and `.bias` (out,) with ReLU between;
            `mean.weight`, `mean.bias`, `log_std.weight`, `log_std.bias` (A outputs each), before tanh and before the
            squashing into `LOG_STD_RANGE`; `observation.mean`, `observation.std` (D,).
    """

    spec: PolicySpec
    weights: Weights

    @property
    def hash(self) -> str:
        """SHA-256 over what decides the policy's behaviour; the same for the same behaviour."""
        digest = hashlib.sha256()
        facts = {k: v for k, v in asdict(self.spec).items() if k != "provenance"}
        digest.update(json.dumps(facts, sort_keys=True).encode())
        for name in sorted(self.weights):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()


def weight_shapes(spec: PolicySpec) -> dict[str, tuple[int, ...]]:
    """The arrays a policy of this spec consists of."""
    sizes = (spec.observation_size, *spec.hidden)
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        shapes[f"layers.{i}.weight"] = (n_in, n_out)
        shapes[f"layers.{i}.bias"] = (n_out,)
    for head in ("mean", "log_std"):
        shapes[f"{head}.weight"] = (sizes[-1], spec.action_size)
        shapes[f"{head}.bias"] = (spec.action_size,)
    for name in ("mean", "std"):
        shapes[f"observation.{name}"] = (spec.observation_size,)
    return shapes


def require_fit(policy: Policy, env: RobotEnv, where: str) -> None:
    """Refuses a policy whose spaces or control rate are not those of `env`.

    Raises:
        UserError: names what differs; `where` is the policy's place.
    """
    spec = policy.spec
    observation, action = int(env.observation_space.shape[0]), int(env.action_space.shape[0])
    wanted = (observation, action, env.control_hz)
    if (spec.observation_size, spec.action_size, spec.control_hz) != wanted:
        raise UserError(
            f"policy {where} was made for {spec.env} ({spec.observation_size} observations, {spec.action_size} "
            f"actions, {spec.control_hz:g} Hz) and does not fit {env.name} ({observation} observations, {action} "
            f"actions, {env.control_hz:g} Hz)"
        )
