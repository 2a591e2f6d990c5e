"""Everything a learner changes: networks by name, and Adam's memory of those that are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from porl_robot.learner.optimizer import Moments
from porl_robot.methods.critics import Parameters, from_checkpoint, random_critics, without_actions
from porl_robot.methods.networks import FOLLOWERS, Networks
from porl_robot.policy.network import to_parameters, trainable
from porl_robot.policy.spec import Policy

FROZEN = frozenset({"reference", "priority", "slope", *FOLLOWERS})
"""Groups without an optimiser."""

PRIORITIES = "priority.rows"
"""The one tensor whose length depends on that of the run."""


@dataclass(frozen=True, slots=True)
class LearnerState:
    """Tensors that updates change in place.

    Attributes:
        networks: groups of parameters, see `porl_robot.methods.networks`.
        moments: Adam's memory by group.
    """

    networks: Networks
    moments: dict[str, Moments]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor with a unique name, for checkpoints."""
        for group, parameters in self.networks.items():
            for name, tensor in parameters.items():
                yield f"{group}.{name}", tensor
        for group, moments in self.moments.items():
            for kind, tensors in (("first", moments.first), ("second", moments.second)):
                for i, tensor in enumerate(tensors):
                    yield f"{group}_moments.{kind}.{i}", tensor
            yield f"{group}_moments.step", moments.step


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of fresh networks: critics, widths of their layers, rows a priority is kept for."""

    members: int
    hidden: tuple[int, ...]
    rows: int = 0


def initial_state(
    policy: Policy,
    reference: Policy,
    sizes: Sizes,
    alpha: float,
    rng: torch.Generator,
    device: torch.device,
    groups: frozenset[str] = frozenset(),
    found: Networks | None = None,
) -> tuple[LearnerState, list[str]]:
    """A state with `policy` as actor and the frozen `reference`. `rng` lives on the CPU.

    Args:
        alpha: temperature, where `found` has none.
        groups: what the method needs beyond actor, critics, targets and temperature.
        found: networks of a checkpoint, by name; None to begin with random critics.

    Returns:
        the state, and the names of the groups that were not, or not wholly, in the checkpoint.
    """
    spec, found = policy.spec, found or {}
    inputs = spec.observation_size + spec.action_size
    fresh = random_critics(sizes.members, inputs, sizes.hidden, rng)
    networks: Networks = {"actor": to_parameters(policy), "reference": to_parameters(reference)}
    lacking = []
    if "critics" in found:
        networks["critics"] = from_checkpoint(found["critics"], sizes.members, rng)
        lacking += ["critics"] if len(found["critics"]["b_out"]) < sizes.members else []
    else:
        networks["critics"] = fresh
        lacking.append("critics")
    networks["temperature"] = found.get("temperature") or {"log_alpha": torch.tensor(math.log(alpha))}
    for group in sorted(groups - FOLLOWERS.keys()):
        made = _group(group, networks, found, sizes, spec.observation_size, inputs, rng)
        from_checkpoint_critics = group == "offline_critics" and "critics" in found
        lacking += [] if group in found or from_checkpoint_critics or group == "slope" else [group]
        networks[group] = made
    if "offline_critics" in groups:
        # The checkpoint's critics become the offline bank; the others begin at random.
        networks["critics"] = fresh
        lacking = [*lacking, "critics"] if "critics" not in lacking else lacking
    for follower, leader in FOLLOWERS.items():
        if follower in groups or follower == "targets":
            networks[follower] = {name: tensor.clone() for name, tensor in networks[leader].items()}
    networks = {g: {n: t.detach().clone().to(device) for n, t in ps.items()} for g, ps in networks.items()}
    moments = {}
    for group in networks:
        if group not in FROZEN:
            for tensor in trained(group, networks).values():
                tensor.requires_grad_()
            moments[group] = Moments.zeros(trained(group, networks).values())
    return LearnerState(networks, moments), lacking


def trained(group: str, networks: Networks) -> Parameters:
    """The parameters of a group that an optimiser may change."""
    return trainable(networks[group]) if group == "actor" else networks[group]


def restart_critics(state: LearnerState, groups: Iterable[str], value: float) -> None:
    """Sets the value that critics and state values start from, their targets included; before the first update."""
    with torch.no_grad():
        for group in groups:
            for name in (group, "targets") if group == "critics" else (group,):
                state.networks[name]["b_out"].fill_(value)


def _group(
    group: str,
    networks: Networks,
    found: Networks,
    sizes: Sizes,
    observation_size: int,
    inputs: int,
    rng: torch.Generator,
) -> Parameters:
    def value() -> Parameters:
        if "critics" in found:
            return without_actions(networks["critics"], observation_size)
        return random_critics(1, observation_size, sizes.hidden, rng)

    makers: dict[str, Callable[[], Parameters]] = {
        "offline_critics": lambda: networks["critics"],
        "value": value,
        "reference_value": value,
        "conservatism": lambda: {"log_weight": torch.tensor(1.0)},
        "multiplier": lambda: {"log_weight": torch.tensor(0.0)},
        "slope": lambda: {"rms": torch.tensor(0.0)},
        "density": lambda: random_critics(1, inputs, sizes.hidden, rng),
        "priority": lambda: {
            "rows": torch.ones(sizes.rows),
            "seen": torch.tensor(0),
            "largest": torch.tensor(1.0),
        },
    }
    return found[group] if group in found else makers[group]()
