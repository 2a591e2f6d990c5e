"""Is this the arm it is taken for? Every check reads only; nothing is written, the torque stays as it was found."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.calibration import TICKS_PER_TURN
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.roll_call import roll_call

_POSITION_MODES = {"feetech": (0,), "dynamixel": (3, 4)}


def bring_up(bus: Bus, robot: RobotDescription, joints: Sequence[Joint]) -> None:
    """Calls every servo, then holds firmware and EPROM against the calibration.

    Raises:
        HardwareError: the first thing that is not as it should be, and what helps.
    """
    firmware = roll_call(bus, robot)
    for joint in joints:
        _require_firmware(joint, firmware[joint.name])
        _require_eprom(bus, joint)


def _require_firmware(joint: Joint, found: str) -> None:
    if found != joint.calibration.firmware:
        raise HardwareError(
            f"{joint}: firmware {found}, calibrated with {joint.calibration.firmware}; this is another servo, or was "
            "updated: calibrate the arm again"
        )


def _require_eprom(bus: Bus, joint: Joint) -> None:
    calibration, servo = joint.calibration, joint.servo
    expected = {
        "id": (joint.id,),
        "homing_offset": (calibration.homing_offset,),
        "min_position": (calibration.range_min,),
        "max_position": (calibration.range_max,),
        "operating_mode": _POSITION_MODES[servo.protocol],
        "return_delay": (0,),
        "status_level": (servo.acknowledging,),
    }
    for register, values in expected.items():
        found = bus.read(joint.id, register)
        if found not in values:
            wanted = " or ".join(str(value) for value in values)
            raise HardwareError(
                f"{joint}: {register} is {found}, expected {wanted} by its calibration; this is another arm, or its "
                "calibration was never written: run porl-robot calibrate"
            )
    position = bus.read(joint.id, "present_position")
    if not 0 <= position < TICKS_PER_TURN:
        raise HardwareError(
            f"{joint}: stands at {position}, outside 0 to {TICKS_PER_TURN - 1}: it counts several turns; run "
            "porl-robot calibrate"
        )
