"""Is this the arm it is taken for? Every check reads only; nothing is written, the torque stays as it was found."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.calibration import TICKS_PER_TURN
from hardware.description import RobotDescription
from hardware.errors import HardwareError

_POSITION_MODE = {"feetech": (0,), "dynamixel": (3, 4)}
_SUPPLY_TOLERANCE = 0.25


def bring_up(bus: Bus, robot: RobotDescription, joints: Sequence[Joint]) -> None:
    """Pings every servo, then holds model, firmware, EPROM and supply against what is known of the arm.

    Raises:
        HardwareError: the first thing that is not as it should be, and what helps.
    """
    _require_answers(bus, robot, joints)
    for joint in joints:
        _require_model(bus, robot, joint)
        _require_firmware(bus, joint)
        _require_eprom(bus, joint)
    for joint in joints:
        _require_supply(bus, robot, joint)


def firmware(bus: Bus, joint_id: int, registers: Sequence[str]) -> str:
    """The firmware's version as a calibration has it: `3.10`, or one number where the servo has one."""
    names = ("firmware_major", "firmware_minor") if "firmware_major" in registers else ("firmware_version",)
    return ".".join(str(bus.read(joint_id, name)) for name in names)


def _require_answers(bus: Bus, robot: RobotDescription, joints: Sequence[Joint]) -> None:
    silent = [joint for joint in joints if not _answers(bus, joint)]
    if len(silent) == len(joints):
        raise HardwareError(
            f"port {robot.port}: no servo answers at {robot.baud} baud; check supply and cable, then the baud: porl-robot "
            f"scan robot.port={robot.port} tries them all"
        )
    if silent:
        missing = ", ".join(f"{joint.name} (id {joint.id})" for joint in silent)
        raise HardwareError(
            f"port {robot.port}: {missing} does not answer; check its cable, and that no two servos have the same id: "
            f"porl-robot scan robot.port={robot.port} shows who is there"
        )


def _answers(bus: Bus, joint: Joint) -> bool:
    try:
        bus.ping(joint.id)
    except HardwareError:
        return False
    return True


def _require_model(bus: Bus, robot: RobotDescription, joint: Joint) -> None:
    number = bus.ping(joint.id)
    if number != joint.servo.number:
        raise HardwareError(
            f"{joint.name} (id {joint.id}): its servo reports model {number}, robot={robot.name} has a "
            f"{joint.servo.name} ({joint.servo.number}) there; check the ids, or give the robot= that this arm is"
        )


def _require_firmware(bus: Bus, joint: Joint) -> None:
    found = firmware(bus, joint.id, tuple(joint.servo.registers))
    if found != joint.calibration.firmware:
        raise HardwareError(
            f"{joint.name} (id {joint.id}): firmware {found}, calibrated with {joint.calibration.firmware}; "
            "this is another servo, or it was updated: calibrate the arm again"
        )


def _require_eprom(bus: Bus, joint: Joint) -> None:
    calibration, servo = joint.calibration, joint.servo
    expected = {
        "homing_offset": (calibration.homing_offset,),
        "min_position": (calibration.range_min,),
        "max_position": (calibration.range_max,),
        "operating_mode": _POSITION_MODE[servo.protocol],
        "return_delay": (0,),
        "status_level": (servo.acknowledging,),
    }
    for register, values in expected.items():
        found = bus.read(joint.id, register)
        if found not in values:
            wanted = " or ".join(str(value) for value in values)
            raise HardwareError(
                f"{joint.name} (id {joint.id}): {register} is {found}, the calibration says {wanted}; "
                "this is another arm, or its calibration was never written: calibrate it, or give its own file"
            )
    position = bus.read(joint.id, "present_position")
    if not 0 <= position < TICKS_PER_TURN:
        raise HardwareError(
            f"{joint.name} (id {joint.id}): position {position} lies outside 0 to {TICKS_PER_TURN - 1}: it counts "
            "several turns; calibrate the arm again"
        )


def _require_supply(bus: Bus, robot: RobotDescription, joint: Joint) -> None:
    scale = joint.servo.registers["present_voltage"].scale
    volts = scale * bus.read(joint.id, "present_voltage")
    lowest, highest = (scale * bus.read(joint.id, name) for name in ("min_voltage", "max_voltage"))
    nominal = f"robot={robot.name} is made for {robot.supply:g} V"
    if abs(volts - robot.supply) > _SUPPLY_TOLERANCE * robot.supply:
        raise HardwareError(
            f"{joint.name} (id {joint.id}): supplied with {volts:.1f} V, {nominal}; connect the right supply, or give "
            "robot.supply= where the servos are of another kind"
        )
    if not lowest <= volts <= highest:
        raise HardwareError(
            f"{joint.name} (id {joint.id}): supplied with {volts:.1f} V, its servo takes {lowest:.1f} to {highest:.1f} V "
            f"({nominal}); connect the supply of these servos at once"
        )
