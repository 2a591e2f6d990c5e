"""What follows from the ends of a joint's travel: the servo's homing offset, the range, the angles."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hardware.calibration import CENTRE, TICKS_PER_TURN, JointCalibration
from hardware.description import JointDescription, Protocol
from hardware.errors import HardwareError
from hardware.sweep import JointSweep

LARGEST_TRAVEL = 4000
"""Beyond so many ticks the ends of a joint with stops cannot be told from a full turn."""

_HALF_TURN = TICKS_PER_TURN // 2
_LARGEST_OFFSET = 2047


@dataclass(frozen=True, slots=True)
class Homing:
    """What a servo is to hold so that its joint is centred. All in ticks as a `JointCalibration` has them.

    Attributes:
        offset: for the homing offset's register.
        range_min, range_max: positions of the joint's ends once the offset is in place.
    """

    offset: int
    range_min: int
    range_max: int


def centred(sweep: JointSweep, protocol: Protocol, offset: int, continuous: bool) -> Homing:
    """The offset that puts the middle of the travel at the centre tick.

    A joint without stops has no middle: there the place where the sweep ended becomes the centre.

    Args:
        sweep: made with `offset` in effect.
        offset: homing offset [ticks] that the servo applied during the sweep.
        continuous: the joint has no stops.

    Raises:
        HardwareError: the travel of a joint with stops exceeds `LARGEST_TRAVEL`.
    """
    if not continuous and sweep.travel > LARGEST_TRAVEL:
        raise HardwareError(
            f"{sweep.name}: travelled {sweep.travel} ticks, more than the {LARGEST_TRAVEL} of a joint with stops: its "
            "servo slips, or it turns without end; then say continuous: true in the robot's YAML"
        )
    middle = sweep.now if continuous else (sweep.lowest + sweep.highest) // 2
    actual = middle + _shift(protocol, offset)
    homing_offset = _wrapped(_shift(protocol, actual - CENTRE))
    if continuous:
        return Homing(homing_offset, 0, TICKS_PER_TURN - 1)
    at_middle = rehomed(protocol, middle, offset, homing_offset)
    return Homing(homing_offset, at_middle + sweep.lowest - middle, at_middle + sweep.highest - middle)


def calibrated(
    described: JointDescription, firmware: str, homing: Homing, sign: int, limits: tuple[float, float]
) -> JointCalibration:
    """The calibration of one joint: the middle of its range is the middle of the model's.

    Args:
        limits: lower and upper end in the model [rad].

    Raises:
        ValueError: the servo cannot hold such a homing.
    """
    aside = (homing.range_min + homing.range_max) / 2 - CENTRE
    middle = sum(limits) / 2 - sign * aside * math.tau / TICKS_PER_TURN
    return JointCalibration(
        id=described.id,
        servo=described.servo,
        firmware=firmware,
        homing_offset=homing.offset,
        range_min=homing.range_min,
        range_max=homing.range_max,
        sign=sign,
        middle=middle,
    )


def turned(joint: JointCalibration) -> JointCalibration:
    """The same joint counting the other way round; the middle of its range stays the same angle."""
    aside = (joint.range_min + joint.range_max) / 2 - CENTRE
    middle = joint.middle + 2 * joint.sign * aside * math.tau / TICKS_PER_TURN
    return replace(joint, sign=-joint.sign, middle=middle)


def rehomed(protocol: Protocol, reading: int, before: int, after: int) -> int:
    """What a servo that shows `reading` with the offset `before` shows with the offset `after` [ticks]."""
    return (reading + _shift(protocol, before) - _shift(protocol, after)) % TICKS_PER_TURN


def _shift(protocol: Protocol, offset: int) -> int:
    """How much higher the encoder stands than the servo reports [ticks] where it applies `offset`.

    Feetech reports the encoder's position minus the offset, Dynamixel plus it. Its own inverse.
    """
    return offset if protocol == "feetech" else -offset


def _wrapped(offset: int) -> int:
    """The same offset inside the register's range: half a turn, which has no place there, becomes a tick less."""
    return max((offset + _HALF_TURN) % TICKS_PER_TURN - _HALF_TURN, -_LARGEST_OFFSET)
