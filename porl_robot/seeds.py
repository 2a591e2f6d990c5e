"""Independent streams of randomness from one seed."""

from __future__ import annotations

import enum

import numpy as np


class Stream(enum.IntEnum):
    """What a run draws random numbers for; no two share a stream."""

    EVALUATION_STARTS = 0
    FINAL_STARTS = 1
    TRAINING_STARTS = 2
    EXPLORATION = 3
    SAMPLED_ACTIONS = 4
    ACTOR = 5
    CRITICS = 6
    UPDATES = 7


def derive(seed: int, stream: Stream, index: int = 0) -> int:
    """A seed below 2^31 for one use of a stream."""
    return int(np.random.default_rng([seed, stream, index]).integers(2**31))
