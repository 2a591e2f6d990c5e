"""The motion an arm is identified by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.safety import JointLimits
from sim.identify.strokes import Pace, chord, rest, visit

LEAD_IN = 1.0
"""Seconds of a block for which it is not compared: the first stroke settles which way the gears lean."""

_REACH = 0.5  # of a joint to either side at most [rad]: what lies farther away tells nothing new
_FAST_CHORD = (6.0, (2, 3, 5, 7, 11, 13, 17, 24))  # 0.3 to 4 Hz [s, harmonics]
_HELD_OUT_CHORD = (8.0, (2, 3, 4, 7, 10, 13, 19, 29))


@dataclass(frozen=True, slots=True)
class Block:
    """Samples `start` to `stop` of an excitation, which begin and end at rest amid the ranges.

    `joint` is the one that moves; None where all do: such a block is held out from the fit.
    """

    joint: str | None
    start: int
    stop: int


@dataclass(frozen=True, eq=False, slots=True)
class Excitation:
    """Goals for n joints, `hz` per second.

    Attributes:
        names: of the joints.
        hz: samples per second.
        position, velocity, acceleration: of the goals, shape (T, n) [rad], [rad/s], [rad/s^2].
        blocks: without gaps, in order.
    """

    names: tuple[str, ...]
    hz: float
    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray
    blocks: tuple[Block, ...]

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.position) / self.hz


def excitation(limits: JointLimits, hz: float, seed: int) -> Excitation:
    """One block per joint, in which it alone moves, and one in which all move. The same arguments give the same motion.

    A block holds the joint at several heights, reached from both sides (gain against gravity, lost motion), reverses
    it slowly (friction against backlash), makes it step between random levels, and shakes it (delay, damping).

    Args:
        limits: of the joints; any pose within their ranges must be free of contact.
        hz: goals per second.
        seed: of levels and signs.
    """
    rng = np.random.default_rng(seed)
    middle = (limits.lower + limits.upper) / 2
    reaches = np.minimum((limits.upper - limits.lower) / 2, _REACH)
    paces = [Pace(hz, *rates) for rates in zip(limits.velocity, limits.acceleration, limits.jerk, strict=True)]
    motions, blocks, at = [], [], 0
    for joint, name in enumerate(limits.names):
        own = _alone(paces[joint], reaches[joint], rng)
        motion = np.zeros((len(own), len(limits), 3))
        motion[:, joint] = own
        motions.append(motion)
        blocks.append(Block(name, at, at + len(own)))
        at += len(own)
    together = [_together(pace, reach, rng) for pace, reach in zip(paces, reaches, strict=True)]
    longest = max(map(len, together))
    motions.append(np.stack([_padded(own, longest) for own in together], axis=1))
    blocks.append(Block(None, at, at + longest))
    position, velocity, acceleration = np.moveaxis(np.concatenate(motions), 2, 0)
    return Excitation(limits.names, hz, middle + position, velocity, acceleration, tuple(blocks))


def _alone(pace: Pace, reach: float, rng: np.random.Generator) -> FloatArray:
    stairs = [reach * level for level in (0, -0.45, -0.9, -0.45, 0, 0.45, 0.9, 0.45, 0, 0)]
    small = min(0.08, 0.5 * reach)
    seconds, harmonics = _FAST_CHORD
    return np.concatenate(
        [
            _lead_in(pace, reach),
            visit(pace.slower(0.5), stairs, dwell=0.5),
            visit(pace.slower(0.15), [0, small, -small, small, -small, 0], dwell=0.0),
            visit(pace, _levels(reach, 8, rng), dwell=0.35),
            chord(pace, reach, seconds, harmonics, _signs(len(harmonics), rng)),
            rest(pace, 0.0, 0.3),
        ]
    )


def _together(pace: Pace, reach: float, rng: np.random.Generator) -> FloatArray:
    seconds, harmonics = _HELD_OUT_CHORD
    return np.concatenate(
        [
            _lead_in(pace, reach),
            chord(pace, reach, seconds, harmonics, _signs(len(harmonics), rng)),
            visit(pace, _levels(reach, 5, rng), dwell=0.4),
            visit(pace.slower(0.2), _levels(min(reach, 0.2), 3, rng), dwell=0.3),
        ]
    )


def _lead_in(pace: Pace, reach: float) -> FloatArray:
    return _padded(visit(pace, [0, 0.2 * reach, 0], dwell=0.0), round(LEAD_IN * pace.hz))


def _levels(reach: float, count: int, rng: np.random.Generator) -> list[float]:
    """From zero over `count` random levels back to zero, the levels to alternating sides."""
    sizes = reach * rng.uniform(0.1, 0.9, count)
    return [0.0, *(sizes * np.resize([1, -1], count)), 0.0]


def _signs(count: int, rng: np.random.Generator) -> FloatArray:
    return rng.choice([-1.0, 1.0], count)


def _padded(motion: FloatArray, length: int) -> FloatArray:
    return np.concatenate([motion, np.zeros((max(length - len(motion), 0), 3))])
