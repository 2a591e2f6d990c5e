"""The whole turns that a servo counts beside its joint.

Without power a Dynamixel servo forgets its turns and begins within one of its encoder: where the encoder's seam lies in
the travel, that may be a turn off. A joint goes less than a turn, so only one turn has it inside its range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.calibration import TICKS_PER_TURN
from hardware.eprom import counts_turns
from hardware.errors import HardwareError
from hardware.plausibility import TOO_SHORT

_ASIDE = round(TOO_SHORT * TICKS_PER_TURN / math.tau)
"""A joint may stand so far outside its range [ticks]: by what a sweep may have missed of it."""


def counted(bus: Bus, joints: Sequence[Joint]) -> tuple[Joint, ...]:
    """The joints with the turns that their servos count until they lose their power.

    Raises:
        HardwareError: in no turn does a joint stand where it can be, or its servo does not answer.
    """
    return tuple(replace(joint, turns=_turns(joint, bus.read(joint.id, "present_position"))) for joint in joints)


def _turns(joint: Joint, position: int) -> int:
    lowest, highest = joint.calibration.range_min, joint.calibration.range_max
    if not counts_turns(joint.servo, joint.calibration):
        if 0 <= position < TICKS_PER_TURN:
            return 0
        raise HardwareError(
            f"{joint}: stands at {position}, outside 0 to {TICKS_PER_TURN - 1}: it counts several turns; run "
            "porl-robot calibrate"
        )
    turns = (position - (lowest + highest - TICKS_PER_TURN) // 2) // TICKS_PER_TURN
    if lowest - _ASIDE <= position - turns * TICKS_PER_TURN <= highest + _ASIDE:
        return turns
    raise HardwareError(
        f"{joint}: stands at {position} ticks, in no turn inside its range of {lowest} to {highest}: its servo has "
        "slipped, or this is another arm; run porl-robot calibrate"
    )
