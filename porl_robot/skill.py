"""Scripted experts, and what makes them worse than they could be."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from porl_robot.command import FloatArray

_CLIP = 0.97  # keeps the inverse of tanh small for a policy that clones
_BIAS_SHARES = np.array([1.0, 1.0, 0.4])


class Demonstrator(Protocol):
    """A scripted expert that sees the env's inner state.

    Made with the env it will act in and the knobs of its skill.
    """

    def begin(self, rng: np.random.Generator) -> None:
        """Called after every `env.reset`."""

    def act(self) -> FloatArray:
        """The next action, shape (A,), in [-1, 1]."""


def require_knobs(bias: float, noise: float, p_random: float) -> None:
    """What a degraded expert asks of its knobs, those of `Skill`.

    Raises:
        ValueError: a deviation is negative, or `p_random` is no probability.
    """
    for name, deviation in (("bias", bias), ("noise", noise)):
        if not deviation >= 0.0:
            raise ValueError(f"{name} {deviation} must be at least 0")
    if not 0.0 <= p_random <= 1.0:
        raise ValueError(f"p_random {p_random} is outside [0, 1]")


class Skill:
    """Three ways to spoil an expert's actions.

    Args:
        bias: standard deviation of a per-episode offset of every waypoint [m]; vertically four tenths of it.
        noise: standard deviation of Gaussian noise added to every action.
        p_random: chance per step to hold one random action for 3-7 steps.

    Raises:
        ValueError: as `require_knobs` does.

    Attributes:
        offset: of the waypoints in this episode, shape (3,) [m].
    """

    def __init__(self, bias: float, noise: float, p_random: float) -> None:
        require_knobs(bias, noise, p_random)
        self._bias, self._noise, self._p_random = bias, noise, p_random

    def begin(self, rng: np.random.Generator) -> None:
        """An episode begins."""
        self._rng = rng
        self.offset: FloatArray = rng.normal(size=3) * self._bias * _BIAS_SHARES
        self._random_left = 0

    def spoiled(self, action: FloatArray) -> FloatArray:
        """What becomes of the expert's `action` (A,); within +-0.97."""
        if self._random_left == 0 and self._rng.random() < self._p_random:
            self._random_left = int(self._rng.integers(3, 8))
            self._random_action = self._rng.uniform(-1, 1, action.shape)
        if self._random_left > 0:
            self._random_left -= 1
            action = self._random_action
        noisy: FloatArray = action + self._noise * self._rng.normal(size=action.shape)
        return np.clip(noisy, -_CLIP, _CLIP)
