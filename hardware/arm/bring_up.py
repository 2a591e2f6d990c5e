"""Is this the arm it is taken for? Every check reads only; nothing is written, the torque stays as it was found."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.arm.joint import Joint
from hardware.arm.turns import counted
from hardware.bus import Bus
from hardware.description import RobotDescription
from hardware.eprom import changes, read_held
from hardware.errors import HardwareError
from hardware.roll_call import roll_call


def bring_up(bus: Bus, robot: RobotDescription, joints: Sequence[Joint]) -> tuple[Joint, ...]:
    """Calls every servo, then holds firmware, EPROM and position against the calibration.

    Returns:
        The joints with the turns that their servos count.

    Raises:
        HardwareError: the first thing that is not as it should be, and what helps.
    """
    firmware = roll_call(bus, robot)
    for joint in joints:
        _require_firmware(joint, firmware[joint.name])
    _require_eprom(bus, robot, joints)
    return counted(bus, joints)


def _require_firmware(joint: Joint, found: str) -> None:
    if found != joint.calibration.firmware:
        raise HardwareError(
            f"{joint}: firmware {found}, calibrated with {joint.calibration.firmware}; this is another servo, or was "
            "updated: calibrate the arm again"
        )


def _require_eprom(bus: Bus, robot: RobotDescription, joints: Sequence[Joint]) -> None:
    by_name = {joint.name: joint for joint in joints}
    wrong = changes(robot, {name: joint.calibration for name, joint in by_name.items()}, read_held(bus, robot))
    if wrong:
        first = wrong[0]
        raise HardwareError(
            f"{by_name[first.joint]}: {first.register} is {first.held}, expected {first.wanted} by its calibration; "
            "this is another arm, or its calibration was never written: run porl-robot calibrate"
        )
