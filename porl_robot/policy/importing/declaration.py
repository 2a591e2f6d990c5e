"""What the user says of a source that its file does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from porl_robot.policy.importing.mlp import Activation, Output

KINDS = ("auto", "torchscript", "export", "onnx", "sb3", "state_dict", "callable")


@dataclass(frozen=True, slots=True)
class Network:
    """The multi-layer perceptron that a state dict holds the weights of.

    Attributes:
        layers: names of its linear layers from input to output; None takes every one that the file holds, in its order.
        activation: between the layers.
        output: after the last one: `tanh`; `linear` and `clip` both end at the bounds of the action range.
        log_std: name of the head or vector with the log standard deviation before the tanh; not one of `layers`.
        observation_mean, observation_std: names of the tensors by which observations are normalised.
    """

    layers: list[str] | None = None
    activation: str = "relu"
    output: str = "tanh"
    log_std: str | None = None
    observation_mean: str | None = None
    observation_std: str | None = None

    def __post_init__(self) -> None:
        for name, accepted in (("activation", get_args(Activation)), ("output", get_args(Output))):
            if getattr(self, name) not in accepted:
                raise ValueError(f"{name}={getattr(self, name)}: expected {' or '.join(accepted)}")
        if (self.observation_mean is None) != (self.observation_std is None):
            raise ValueError("observation_mean and observation_std: give both or neither")


@dataclass(frozen=True, slots=True)
class Declaration:
    """How a source is to be read and used.

    Attributes:
        kind: one of `KINDS`; `auto` looks into the file.
        stochastic: the same observation may bring different actions.
        stateful: an action may depend on earlier observations of the episode.
        chunk: a query brings actions (H, A), so many of which are executed before the next; None: it brings one (A,).
        clip: actions beyond the range are meant to be cut off.
        action_low, action_high: the source's own action range, mapped linearly onto [-1, 1]; one number serves all.
        observation_indices: which numbers of the task's observation the source takes, in its order; None: all.
        normalisation: file with the statistics that observations are normalised by before the source sees them.
        network: for a state dict.
    """

    kind: str = "auto"
    stochastic: bool = False
    stateful: bool = False
    chunk: int | None = None
    clip: bool = False
    action_low: list[float] | None = None
    action_high: list[float] | None = None
    observation_indices: list[int] | None = None
    normalisation: str | None = None
    network: Network = Network()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind}: expected {' or '.join(KINDS)}")
        if self.chunk is not None and self.chunk < 1:
            raise ValueError(f"chunk={self.chunk}: expected a whole number of at least 1 or null")
        if (self.action_low is None) != (self.action_high is None):
            raise ValueError("action_low and action_high: give both or neither")
        for name in ("action_low", "action_high", "observation_indices"):
            if getattr(self, name) == []:
                raise ValueError(f"{name}=[]: expected at least one number, or null")
        chosen = self.observation_indices or []
        if len(set(chosen)) < len(chosen) or any(index < 0 for index in chosen):
            raise ValueError(f"observation_indices={chosen}: expected different whole numbers of at least 0")
