"""A tiny low-torque move of one joint: does its servo follow?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hardware import insist
from hardware.bus import Bus
from hardware.calibration import CENTRE, TICKS_PER_TURN
from hardware.clock import Clock
from hardware.description import JointDescription
from hardware.eprom import goals_taken
from hardware.errors import HardwareError
from hardware.servos import SERVOS
from hardware.servos.model import DRIVE_LIMITS

_FAR_ENOUGH = 40  # ticks after which a move can be seen: three and a half degrees
_LEAD = 170  # ticks; whoever is this far behind the goal does not follow
_STEP, _PERIOD = 3, 0.02  # ticks per so many arm seconds: 13 degrees per second
_SETTLING = 0.3  # arm seconds; without torque a joint that still moves would coast on
_TORQUE = 0.35  # share of the full torque


@contextmanager
def nudged(bus: Bus, clock: Clock, joint: JointDescription) -> Iterator[int]:
    """Moves `joint` a few degrees towards the middle of its range and holds it there for the length of the block.

    Yields:
        1 where its ticks grew, -1 where they fell.

    Raises:
        HardwareError: it did not follow, or turned against its goal.
    """
    start = insist.read(bus, joint.id, "present_position")
    way = 1 if start % TICKS_PER_TURN <= CENTRE else -1
    with _weakened(bus, joint):
        taken = goals_taken(bus, joint)
        insist.write(bus, joint.id, "goal_position", _within(taken, start))
        insist.write(bus, joint.id, "torque_enable", 1)
        moved = _led(bus, clock, joint.id, start, way, taken)
        if moved <= -_FAR_ENOUGH:
            raise HardwareError(f"{joint}: turned against its goal; replace this servo")
        if moved < _FAR_ENOUGH:
            raise HardwareError(
                f"{joint}: moved {moved} ticks for a goal {_LEAD} ticks away; clear what blocks "
                "it, support the arm, and calibrate again"
            )
        yield way


def _led(bus: Bus, clock: Clock, servo: int, start: int, way: int, taken: tuple[int, int] | None) -> int:
    """How far the servo came [ticks], positive towards the goal that led it."""
    position, tick = start, clock.now()
    for lead in range(_STEP, _LEAD + 1, _STEP):
        insist.write(bus, servo, "goal_position", _within(taken, start + way * lead))
        tick += _PERIOD
        clock.sleep_until(tick)
        position = insist.read(bus, servo, "present_position")
        if abs(position - start) >= _FAR_ENOUGH:
            break
    insist.write(bus, servo, "goal_position", _within(taken, position))
    clock.sleep_until(clock.now() + _SETTLING)
    return way * (position - start)


def _within(taken: tuple[int, int] | None, goal: int) -> int:
    """`goal`, or the nearest that the servo takes: a joint that leans on its stop stands outside its limits."""
    return goal if taken is None else min(max(goal, taken[0]), taken[1])


@contextmanager
def _weakened(bus: Bus, joint: JointDescription) -> Iterator[None]:
    limit, full = DRIVE_LIMITS[SERVOS[joint.servo].protocol]
    most = insist.read(bus, joint.id, full)
    insist.write(bus, joint.id, limit, round(_TORQUE * most))
    try:
        yield
    finally:
        insist.write(bus, joint.id, "torque_enable", 0)
        insist.write(bus, joint.id, limit, most)
