"""Motions of one joint that begin and end at rest, sampled at the bus rate.

A motion is an array of shape (T, 3): position [rad], velocity [rad/s] and acceleration [rad/s^2] of each sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruckig

from porl_robot.command import FloatArray

_BETWEEN_SAMPLES = 0.99  # a curve may rise above its samples


@dataclass(frozen=True, slots=True)
class Pace:
    """How a joint may move: samples per second `hz`, and limits [rad/s], [rad/s^2], [rad/s^3]."""

    hz: float
    velocity: float
    acceleration: float
    jerk: float

    def slower(self, velocity: float) -> Pace:
        """The same, no faster than `velocity` [rad/s]."""
        return Pace(self.hz, min(self.velocity, velocity), self.acceleration, self.jerk)


def rest(pace: Pace, position: float, seconds: float) -> FloatArray:
    """Standing still."""
    motion = np.zeros((round(seconds * pace.hz), 3))
    motion[:, 0] = position
    return motion


def move(pace: Pace, begin: float, end: float) -> FloatArray:
    """From rest to rest as fast as the limits allow. The first sample is one period after `begin`."""
    wanted = ruckig.InputParameter(1)
    wanted.current_position, wanted.target_position = [begin], [end]
    wanted.max_velocity, wanted.max_acceleration, wanted.max_jerk = [pace.velocity], [pace.acceleration], [pace.jerk]
    path = ruckig.Trajectory(1)
    ruckig.Ruckig(1).calculate(wanted, path)
    samples = math.ceil(path.duration * pace.hz)
    return np.array([[part[0] for part in path.at_time((k + 1) / pace.hz)] for k in range(samples)]).reshape(-1, 3)


def visit(pace: Pace, levels: Sequence[float], dwell: float) -> FloatArray:
    """From level to level [rad], `dwell` seconds at rest on each but the first."""
    parts = []
    for begin, end in pairwise(levels):
        parts += [move(pace, begin, end), rest(pace, end, dwell)]
    return np.concatenate(parts)


def chord(pace: Pace, reach: float, seconds: float, harmonics: Sequence[int], signs: FloatArray) -> FloatArray:
    """Sines of `harmonics` / `seconds` [Hz] at once, swelling and fading, as large as the limits and `reach` allow.

    With w = sin^2(pi t/T): s = w(t) sum_i sign_i / k_i sin(2 pi k_i t/T). Equal parts of the speed at each frequency.
    Whole harmonics without phase let position, velocity and acceleration begin and end at zero.
    """
    t = (np.arange(round(seconds * pace.hz)) + 1) / pace.hz
    rates = 2 * np.pi * np.asarray(harmonics) / seconds
    phase = np.outer(t, rates)
    sines = [(signs / rates * rates**n * np.sin(phase + n * np.pi / 2)).sum(1) for n in range(4)]
    w = 2 * np.pi / seconds
    window = [(1 - np.cos(w * t)) / 2, *(-(w**n) / 2 * np.cos(w * t + n * np.pi / 2) for n in (1, 2, 3))]
    derivatives = [sum(math.comb(n, k) * window[n - k] * sines[k] for k in range(n + 1)) for n in range(4)]
    bounds = (reach, pace.velocity, pace.acceleration, pace.jerk)
    scale = _BETWEEN_SAMPLES * min(bound / np.abs(each).max() for bound, each in zip(bounds, derivatives, strict=True))
    return scale * np.stack(derivatives[:3], axis=1)
