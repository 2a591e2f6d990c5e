"""The sweep: somebody moves every joint from stop to stop, and we look."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hardware import insist
from hardware.bus import Bus
from hardware.calibrate.operator import Operator, SweepRow
from hardware.calibration import TICKS_PER_TURN
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.plausibility import TOO_SHORT
from hardware.ranges import Ranges
from hardware.sweep import JointSweep

_PERIOD = 0.02
"""Between two looks [arm s]. A hand moves a joint by a few degrees in that."""

_MISSED = 10
"""Looks in a row at which a servo may fail to answer."""

_REGISTER = "present_position"
_DEGREES = 360.0 / TICKS_PER_TURN


def sweep_by_hand(
    bus: Bus, clock: Clock, robot: RobotDescription, ranges: Ranges, operator: Operator
) -> dict[str, JointSweep]:
    """The sweep of every joint, by name; the torque is off. A continuous joint's sweep ends where it is left.

    Raises:
        HardwareError: a servo fell silent, or a joint was faster than it can be followed.
    """
    sweeps = {joint.name: JointSweep(joint.name, insist.read(bus, joint.id, _REGISTER)) for joint in robot.joints}
    ids = [joint.id for joint in robot.joints]
    missed = dict.fromkeys(ids, 0)
    for joint in robot.joints:
        if joint.continuous:
            operator.tell(f"{joint.name} turns without end: leave it in the middle of what the model has")
    with operator.sweeping() as show:
        begun = tick = clock.now()
        while show(_rows(sweeps, ranges), clock.now() - begun):
            tick = max(tick + _PERIOD, clock.now())
            clock.sleep_until(tick)
            readings = bus.sync_read(ids, _REGISTER, _REGISTER)
            for joint in robot.joints:
                if joint.id in readings:
                    sweeps[joint.name].add(readings[joint.id][_REGISTER])
                    missed[joint.id] = 0
                    continue
                missed[joint.id] += 1
                if missed[joint.id] >= _MISSED:
                    raise HardwareError(
                        f"{joint}: fell silent during the sweep; check its cable, which "
                        "the motion may pull at, and calibrate again"
                    )
    return sweeps


def _rows(sweeps: Mapping[str, JointSweep], ranges: Ranges) -> list[SweepRow]:
    return [
        SweepRow(
            name=name,
            lowest=sweep.lowest,
            now=sweep.now,
            highest=sweep.highest,
            travelled=sweep.travel * _DEGREES,
            expected=math.degrees(ranges[name][1] - ranges[name][0]),
            enough=sweep.travel * _DEGREES >= math.degrees(ranges[name][1] - ranges[name][0] - TOO_SHORT),
        )
        for name, sweep in sweeps.items()
    ]
