"""A policy as its file gives it, before anything of ours is put around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from porl_robot.policy.importing.mlp import Mlp
from porl_robot.policy.importing.statistics import Statistics

Float32 = npt.NDArray[np.float32]


def nothing() -> None:
    """The reset of a policy without memory."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What a reader makes of a file.

    Attributes:
        act: from an observation (D,) to whatever the policy returns.
        kind: one of `declaration.KINDS` but `auto`.
        reset: called at the start of an episode.
        observation_size: D, where the file tells it.
        mlp: where the policy is a perceptron whose weights are known.
        statistics: where the file holds those that observations are normalised by.
        action_range: low and high (A,) of its actions, where the file tells them; else they are in [-1, 1].
        clipped: its actions are meant to be cut off at the range.
    """

    act: Callable[[Float32], Any]
    kind: str
    reset: Callable[[], None] = nothing
    observation_size: int | None = None
    mlp: Mlp | None = None
    statistics: Statistics | None = None
    action_range: tuple[list[float], list[float]] | None = None
    clipped: bool = False


def of_mlp(kind: str, mlp: Mlp, **known: Any) -> Raw:
    """A perceptron. One that does not end in a tanh has actions meant to be cut off."""
    return Raw(mlp.act, kind, observation_size=mlp.sizes[0], mlp=mlp, clipped=mlp.output == "clip", **known)


def of_module(kind: str, module: Callable[[torch.Tensor], Any], dtype: torch.dtype = torch.float32) -> Raw:
    """A torch function of a batch (1, D)."""

    def act(observation: Float32) -> Any:
        with torch.no_grad():
            return module(torch.from_numpy(observation[None]).to(dtype))

    return Raw(act, kind)
