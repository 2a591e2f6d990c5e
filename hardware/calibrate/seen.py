"""A turn about an axis in the words of somebody who stands beside the arm."""

from __future__ import annotations

import numpy as np

from porl_robot.command import FloatArray

_SIDES = ("the front", "the left", "above")


def seen(axis: FloatArray) -> str:
    """Says which way round a body turns, as in "clockwise, seen from the left".

    Args:
        axis: about which it turns by the right-hand rule, in the arm's frame: x forward, y to its left, z up.
            Shape (3,); the largest component decides from where one looks.
    """
    largest = int(np.abs(axis).argmax())
    way = "counterclockwise" if axis[largest] > 0.0 else "clockwise"
    return f"{way}, seen from {_SIDES[largest]}"
