"""What a source must be before it may move anything: finite, in scale, and as deterministic as declared."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.policy.importing.source import Source, seed_everything

SAME = 1e-4
"""Actions that differ by less, as a share of half the action range, count as the same: rounding of float32."""

REACH = 2.0
"""An action beyond this many times half the range, measured from its middle, is of another scale."""

OFTEN = 0.5
"""An action dimension beyond its range (by more than a twentieth of half of it) this often is of another scale."""

_OUTSIDE = 1.05


def require_usable(source: Source, observations: FloatArray) -> None:
    """Queries the source at `observations` (N, D) and refuses it with what was measured.

    Raises:
        UserError: it does not take the observations, its actions are of another shape, not finite or out of scale, or
            it is stochastic or stateful without having been declared so.
    """
    answers = _answers(source, observations, seeded=True)
    _require_finite(source, answers)
    require_scale(source, answers.reshape(-1, source.action_size))
    if source.declaration.stateful:
        _require_reset(source, observations, answers)
    else:
        _require_determinism(source, observations, answers)


def require_scale(source: Source, actions: FloatArray) -> None:
    """Refuses actions (N, A), in the source's units, that do not belong to its range.

    Raises:
        UserError: names the dimension, how far its actions reach and how often they leave the range.
    """
    if source.clipped:
        return
    middle, half = (source.high + source.low) / 2.0, (source.high - source.low) / 2.0
    distance = np.abs(actions - middle) / half
    often = (distance > _OUTSIDE).mean(0)
    beyond = (distance.max(0) > REACH) | (often > OFTEN)
    if not beyond.any():
        return
    worst = int(np.where(beyond, distance.max(0), 0.0).argmax())
    reached = float(actions[distance[:, worst].argmax(), worst])
    end = float(source.high[worst] if reached > middle[worst] else source.low[worst])
    raise source.refused(
        f"actions reach {reached:.3g} in dimension {worst} where the space ends at {end:.3g} (beyond it in "
        f"{often[worst]:.0%} of {len(actions)} actions); give the source's own range as action_low=[...] "
        "action_high=[...], or clip=true where they are meant to be cut off"
    )


def _answers(source: Source, observations: FloatArray, seeded: bool) -> npt.NDArray[np.float64]:
    """Shape (N, k, A), from a reset on, in the given order; with random numbers that depend on the observation only
    where `seeded`."""
    source.reset()
    given = []
    for observation in observations:
        if seeded:
            seed_everything(zlib.crc32(observation.tobytes()))
        given.append(source.answer(observation))
    return np.stack(given)


def _require_finite(source: Source, answers: npt.NDArray[np.float64]) -> None:
    broken = ~np.isfinite(answers).all(1)
    if broken.any():
        row, dimension = (int(each) for each in np.argwhere(broken)[0])
        raise source.refused(
            f"gives a non-finite action at {broken.any(1).sum()} of {len(answers)} observations (first at number {row} "
            f"in dimension {dimension})"
        )


def _require_determinism(source: Source, observations: FloatArray, answers: npt.NDArray[np.float64]) -> None:
    if source.declaration.stochastic:
        return
    backwards = _answers(source, observations[::-1], seeded=True)[::-1]
    difference, dimension = _largest(source, answers, backwards)
    if difference > SAME:
        raise source.refused(
            f"the same observation brings another action after other observations (by up to {difference:.2g} in "
            f"dimension {dimension}): it is stateful, or draws random numbers of its own; declare stateful=true or "
            "stochastic=true"
        )
    difference, dimension = _largest(source, answers, _answers(source, observations, seeded=False))
    if difference > SAME:
        raise source.refused(
            f"is stochastic: two queries of one observation differ by up to {difference:.2g} in dimension {dimension}; "
            "declare stochastic=true"
        )


def _require_reset(source: Source, observations: FloatArray, answers: npt.NDArray[np.float64]) -> None:
    if source.declaration.stochastic:
        return
    difference, dimension = _largest(source, answers, _answers(source, observations, seeded=False))
    if difference > SAME:
        raise source.refused(
            f"does not begin anew: the same observations from a reset on bring actions that differ by up to "
            f"{difference:.2g} in dimension {dimension}; give it a method reset(), or declare stochastic=true as well"
        )


def _largest(source: Source, one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> tuple[float, int]:
    """The largest difference as a share of half the action range, and its dimension."""
    difference = (np.abs(one - other) * 2.0 / (source.high - source.low)).max((0, 1))
    return float(difference.max()), int(difference.argmax())
