"""A policy as its file gives it, before anything of ours is put around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        tensors: the module's state dict, where there is one; `recognise` looks for a perceptron in it.
        clipped: its actions are meant to be cut off at the range.
    """

    act: Callable[[Float32], Any]
    kind: str
    reset: Callable[[], None] = nothing
    observation_size: int | None = None
    mlp: Mlp | None = None
    statistics: Statistics | None = None
    action_range: tuple[list[float], list[float]] | None = None
    tensors: Mapping[str, torch.Tensor] | None = None
    clipped: bool = False


def of_mlp(kind: str, mlp: Mlp, **known: Any) -> Raw:
    """A perceptron. One that does not end in a tanh has actions meant to be cut off."""
    return Raw(mlp.act, kind, observation_size=mlp.sizes[0], mlp=mlp, clipped=mlp.output == "clip", **known)


def of_module(kind: str, module: Callable[[torch.Tensor], Any], tensors: Mapping[str, torch.Tensor]) -> Raw:
    """A torch function of a batch (1, D), in the number type of the first of its `tensors`."""
    dtype = next((each.dtype for each in tensors.values() if each.is_floating_point()), torch.float32)

    def act(observation: Float32) -> Any:
        with torch.no_grad():
            return module(torch.from_numpy(observation[None]).to(dtype))

    return Raw(act, kind, tensors=tensors)


def as_array(given: Any) -> npt.NDArray[np.float64]:
    """The action in what a policy returned; the first part of several, such as (action, state).

    Raises:
        TypeError, ValueError, RuntimeError: it is no array of real numbers.
    """
    if isinstance(given, tuple):
        given = given[0]
    if isinstance(given, torch.Tensor):
        given = given.detach().cpu().numpy()
    array = np.asarray(given)
    if np.iscomplexobj(array):
        raise TypeError("its numbers are complex")
    return array.astype(np.float64)


def in_one_line(error: BaseException) -> str:
    """An exception in one line. TorchScript writes its own trace and what happened in the last line."""
    lines = str(error).strip().split("\n")
    if "TorchScript interpreter" in lines[0]:
        return lines[-1]
    return f"{type(error).__name__}: {lines[0]}"
