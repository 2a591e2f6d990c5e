"""A policy acting, one observation at a time, in NumPy: no framework call in the control loop."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.policy.spec import LOG_STD_RANGE, OBSERVATION_CLIP, Policy

Float32 = npt.NDArray[np.float32]

_LOG_2PI = math.log(2 * math.pi)
_LARGEST_EXPONENT = np.float32(88.0)  # exp of more is beyond float32


class Agent(Protocol):
    """Whatever acts."""

    action_size: int

    def mode(self, observation: FloatArray) -> Float32:
        """The action (A,) it thinks best at the observation (D,)."""

    def sample(
        self, observation: FloatArray, rng: np.random.Generator, noise_scale: float = 1.0
    ) -> tuple[Float32, float]:
        """An action (A,) to try, and its log-density; NaN where a frozen reference chose it."""


class PolicyRunner:
    """Runs one immutable policy.

    Args:
        policy: the weights to run; not copied, must not change.
    """

    def __init__(self, policy: Policy) -> None:
        weights = policy.weights
        self._mean, self._std = weights["observation.mean"], weights["observation.std"]
        self._layers = [
            (weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]) for i in range(len(policy.spec.hidden))
        ]
        self._heads = np.concatenate([weights["mean.weight"], weights["log_std.weight"]], axis=1)
        self._head_bias = np.concatenate([weights["mean.bias"], weights["log_std.bias"]])
        self.action_size = policy.spec.action_size

    def mode(self, observation: FloatArray) -> Float32:
        """The deterministic action tanh(mean). Observation (D,), action (A,) in (-1, 1)."""
        mean, _ = self._distribution(self.normalised(observation))
        return np.tanh(mean)

    def sample(
        self, observation: FloatArray, rng: np.random.Generator, noise_scale: float = 1.0
    ) -> tuple[Float32, float]:
        """A sampled action (A,) in (-1, 1) and its log-density (with the tanh's change of variables).

        `noise_scale` multiplies the standard deviation before the tanh.
        """
        mean, log_std = self._distribution(self.normalised(observation))
        log_std = log_std + np.float32(math.log(noise_scale))
        noise = rng.standard_normal(self.action_size, dtype=np.float32)
        before_tanh = mean + np.exp(log_std) * noise
        # log(1 - tanh(u)^2) in a form that does not cancel for large |u|.
        log_slope = 2.0 * (math.log(2.0) - before_tanh - np.logaddexp(0.0, -2.0 * before_tanh))
        log_prob = (-0.5 * (noise**2 + _LOG_2PI) - log_std - log_slope).sum()
        return np.tanh(before_tanh), float(log_prob)

    def normalised(self, observation: FloatArray) -> Float32:
        """The observation (D,) as actor and critics see it."""
        return np.clip((observation - self._mean) / self._std, -OBSERVATION_CLIP, OBSERVATION_CLIP).astype(np.float32)

    def _distribution(self, x: Float32) -> tuple[Float32, Float32]:
        """Mean and log standard deviation before the tanh, (A,) each."""
        for weight, bias in self._layers:
            x = np.maximum(x @ weight + bias, 0.0)
        heads = x @ self._heads + self._head_bias
        low, high = LOG_STD_RANGE
        log_std = low + (high - low) / (1.0 + np.exp(np.minimum(-heads[self.action_size :], _LARGEST_EXPONENT)))
        return heads[: self.action_size], log_std
