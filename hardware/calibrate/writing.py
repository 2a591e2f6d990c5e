"""What is found goes into the servos: shown, agreed to, written, read back, and seen to work."""

from __future__ import annotations

from collections.abc import Mapping

from hardware import insist
from hardware.bus import Bus
from hardware.calibrate.eprom import by_joint, write_changes
from hardware.calibrate.operator import NOT_AGREED, Operator
from hardware.calibration import JointCalibration
from hardware.description import RobotDescription
from hardware.eprom import Values, changes, effective_offset
from hardware.errors import HardwareError
from hardware.homing import rehomed
from hardware.sweep import unwrapped

_STILL = 60
"""Ticks by which a joint that is left alone, or its reading, may be off: five degrees."""


def write(
    bus: Bus,
    robot: RobotDescription,
    joints: Mapping[str, JointCalibration],
    held: Mapping[str, Values],
    operator: Operator,
) -> None:
    """Brings the servos from what they `held` to `joints`, once the operator agrees.

    Raises:
        HardwareError: the operator does not, a servo does not take it, or reports another position than it should.
    """
    expected = {}
    for joint in robot.joints:
        reading = insist.read(bus, joint.id, "present_position")
        offset = effective_offset(robot.protocol, held[joint.name])
        expected[joint.name] = rehomed(robot.protocol, reading, offset, joints[joint.name].homing_offset)
        _require_inside(joint.name, joints[joint.name], expected[joint.name])
    wanted = changes(robot, joints, held)
    for line in by_joint(wanted, "{held} -> {wanted}"):
        operator.tell(f"to be written: {line}")
    todo = "write this to the EPROM, then" if wanted else "the servos hold this already:"
    if not operator.agrees(f"{todo} move each joint a few degrees with little torque?"):
        raise HardwareError(NOT_AGREED)
    write_changes(bus, robot, wanted)
    for joint in robot.joints:
        found = insist.read(bus, joint.id, "present_position")
        if abs(unwrapped(expected[joint.name], found) - expected[joint.name]) > _STILL:
            raise HardwareError(
                f"{joint}: reads {found} ticks with its new offset, {expected[joint.name]} was "
                "expected; let the arm rest while it is written, and calibrate again before it moves"
            )


def _require_inside(name: str, joint: JointCalibration, position: int) -> None:
    if not joint.range_min - _STILL <= position <= joint.range_max + _STILL:
        raise HardwareError(
            f"{name}: would stand at {position} ticks, outside its range of {joint.range_min} to {joint.range_max}; "
            "the file is another arm's, or the joint has moved on: calibrate by hand"
        )
