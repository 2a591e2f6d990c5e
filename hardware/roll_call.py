"""Are the servos there that the robot's YAML names, of the right model and on the right supply? Reads only."""

from __future__ import annotations

from hardware import insist
from hardware.bus import Bus
from hardware.description import JointDescription, RobotDescription
from hardware.errors import HardwareError, NoReply
from hardware.servos import SERVOS, ServoModel
from hardware.supply import require_supply


def roll_call(bus: Bus, robot: RobotDescription) -> dict[str, str]:
    """The firmware of every servo, by joint, as a calibration has it.

    Raises:
        HardwareError: a servo is missing, is another one, or has the wrong supply.
    """
    for joint in robot.joints:
        if "homing_offset" not in SERVOS[joint.servo].registers:
            raise HardwareError(
                f"{joint}: a {joint.servo} has no homing offset: porl-robot scan finds it, but it cannot be calibrated "
                "or moved"
            )
    numbers = {joint.name: _number(bus, joint) for joint in robot.joints}
    _require_all(robot, [joint for joint in robot.joints if numbers[joint.name] is None])
    for joint in robot.joints:
        servo = SERVOS[joint.servo]
        if numbers[joint.name] != servo.number:
            raise HardwareError(
                f"{joint}: its servo reports model {numbers[joint.name]}, robot={robot.name} has a "
                f"{servo.name} ({servo.number}) there; correct the id, or give the robot= that this arm is"
            )
    for joint in robot.joints:
        require_supply(bus, robot, joint)
    return {joint.name: firmware(bus, joint.id, SERVOS[joint.servo]) for joint in robot.joints}


def firmware(bus: Bus, servo: int, model: ServoModel) -> str:
    """The version that a servo reports: `3.10`, or one number where its kind counts so."""
    names = ("firmware_major", "firmware_minor") if "firmware_major" in model.registers else ("firmware_version",)
    return ".".join(str(insist.read(bus, servo, name)) for name in names)


def _number(bus: Bus, joint: JointDescription) -> int | None:
    try:
        return insist.ping(bus, joint.id)
    except NoReply:
        return None


def _require_all(robot: RobotDescription, silent: list[JointDescription]) -> None:
    if len(silent) == len(robot.joints):
        raise HardwareError(
            f"{robot.port}: no servo answers at {robot.baud} baud; check supply and cable, then find the baud with "
            f"porl-robot scan port={robot.port}"
        )
    if silent:
        missing = ", ".join(f"{joint} does not answer" for joint in silent)
        raise HardwareError(
            f"{robot.port}: {missing}; check the cable there, and that no two servos have one id (porl-robot "
            f"scan port={robot.port} lists them)"
        )
