"""The tiny move that shows whether a servo follows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from hardware import insist
from hardware.bus import open_bus
from hardware.calibrate.nudge import nudged
from hardware.clock import Clock

from .conftest import SCALE, Bench


@pytest.mark.parametrize("name", ["shoulder_pan", "wrist_roll"])
def test_a_joint_that_leans_on_its_stop_is_led_back_inside(bench: Callable[..., Bench], name: str) -> None:
    """Its servo refuses every goal outside the limits, and the joint stands there."""
    own = bench("light")
    joint, clock = own.robot.joints[own.robot.names.index(name)], Clock(SCALE)
    with closing(open_bus(own.robot, clock)) as bus:
        start = insist.read(bus, joint.id, "present_position")
        middle = 1 if start <= 2048 else -1
        insist.write(bus, joint.id, "min_position" if middle == 1 else "max_position", start + 3 * middle)
        with nudged(bus, clock, joint) as way:
            assert way == middle
    assert own.held("torque_enable")[name] == (0,)
