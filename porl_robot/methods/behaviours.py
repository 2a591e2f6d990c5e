"""What acts: the actor alone, or the better of actor and frozen reference, at every single step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.methods.critics import widths
from porl_robot.methods.networks import Networks
from porl_robot.policy.inference import Agent, Float32, PolicyRunner

_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Composite:
    """Chooses between the actor and the mode of the frozen reference by the target critics.

    Attributes:
        rule: `argmax` (IBRL, arXiv 2311.02198), or `softmax` over the two values (PEX, arXiv 2302.00935).
        inverse_temperature: of the softmax, for returns of any scale in their own units.
        reference_value: what the reference is worth: `critic`, its action under the critics; `returns`, a state value
            fitted to the returns of its own episodes and frozen (Q2RL, arXiv 2605.05172).
        warm_up: who acts until the actor takes its first update.
    """

    rule: Literal["argmax", "softmax"] = "argmax"
    inverse_temperature: float = 10.0
    reference_value: Literal["critic", "returns"] = "critic"
    warm_up: Literal["actor", "reference"] = "reference"

    def __post_init__(self) -> None:
        if self.rule not in ("argmax", "softmax"):
            raise ValueError(f"behaviour.rule {self.rule!r} is neither 'argmax' nor 'softmax'")
        if self.reference_value not in ("critic", "returns"):
            raise ValueError(f"behaviour.reference_value {self.reference_value!r} is neither 'critic' nor 'returns'")
        if self.warm_up not in ("actor", "reference"):
            raise ValueError(f"behaviour.warm_up {self.warm_up!r} is neither 'actor' nor 'reference'")

    @property
    def networks(self) -> tuple[str, ...]:
        """Groups it needs beyond actor and critics."""
        return ("reference_value",) if self.reference_value == "returns" else ()

    def beginner(self, actor: PolicyRunner, reference: PolicyRunner) -> Agent:
        """Who acts until the actor takes its first update."""
        return actor if self.warm_up == "actor" else ModeOf(reference)

    def agent(self, actor: PolicyRunner, reference: PolicyRunner, networks: Networks) -> Agent:
        """The two as one, with the networks as they are now."""
        own = "reference_value" if self.reference_value == "returns" else None
        return _CompositeAgent(
            self, actor, reference, _Values(networks, "targets"), _Values(networks, own) if own else None
        )


class ModeOf:
    """The mode of a frozen reference, in acting and trying alike."""

    def __init__(self, reference: PolicyRunner) -> None:
        self._reference = reference
        self.action_size = reference.action_size

    def mode(self, observation: FloatArray) -> Float32:
        return self._reference.mode(observation)

    def sample(
        self, observation: FloatArray, rng: np.random.Generator, noise_scale: float = 1.0
    ) -> tuple[Float32, float]:
        return self._reference.mode(observation), float("nan")


class _Values:
    """A stacked ensemble in NumPy; a copy of the tensors."""

    def __init__(self, networks: Networks, group: str) -> None:
        self._weights = {name: t.detach().cpu().numpy().copy() for name, t in networks[group].items()}
        self._layers = len(widths(networks[group]))

    def __call__(self, inputs: Float32) -> Float32:
        """Minimum over members, (N,), for inputs (N, in)."""
        x: Float32 = inputs[None]
        for layer in range(self._layers):
            x = x @ self._weights[f"w{layer}"] + self._weights[f"b{layer}"]
            x = x - x.mean(-1, keepdims=True)
            x = np.maximum(x / np.sqrt((x**2).mean(-1, keepdims=True) + _EPSILON), 0.0)
        outputs: Float32 = (x * self._weights["w_out"]).sum(-1) + self._weights["b_out"]
        smallest: Float32 = outputs.min(0)
        return smallest


class _CompositeAgent:
    def __init__(
        self,
        behaviour: Composite,
        actor: PolicyRunner,
        reference: PolicyRunner,
        action_values: _Values,
        reference_value: _Values | None,
    ) -> None:
        self._behaviour, self._actor, self._reference = behaviour, actor, reference
        self._action_values, self._reference_value = action_values, reference_value
        self.action_size = actor.action_size

    def mode(self, observation: FloatArray) -> Float32:
        own, other = self._actor.mode(observation), self._reference.mode(observation)
        return other if self._gain(observation, own, other) < 0.0 else own

    def sample(
        self, observation: FloatArray, rng: np.random.Generator, noise_scale: float = 1.0
    ) -> tuple[Float32, float]:
        own, log_prob = self._actor.sample(observation, rng, noise_scale)
        other = self._reference.mode(observation)
        gain = self._gain(observation, own, other)
        if self._behaviour.rule == "softmax":
            take_own = rng.random() < 0.5 * (1.0 + np.tanh(0.5 * self._behaviour.inverse_temperature * gain))
        else:
            take_own = gain >= 0.0
        return (own, log_prob) if take_own else (other, float("nan"))

    def _gain(self, observation: FloatArray, own: Float32, other: Float32) -> float:
        """By how much the actor's action is worth more than the reference's."""
        seen = self._actor.normalised(observation)
        inputs = np.stack([np.concatenate([seen, own]), np.concatenate([seen, other])])
        own_value, other_value = self._action_values(inputs)
        if self._reference_value is not None:
            (other_value,) = self._reference_value(seen[None])
        return float(own_value - other_value)
