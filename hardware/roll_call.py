"""Are the servos there that the robot's YAML names, of the right model and on the right supply? Reads only."""

from __future__ import annotations

from hardware import insist
from hardware.bus import Bus
from hardware.description import JointDescription, RobotDescription
from hardware.errors import HardwareError, NoReply
from hardware.servos import SERVOS, ServoModel

_SUPPLY_TOLERANCE = 0.25


def roll_call(bus: Bus, robot: RobotDescription) -> dict[str, str]:
    """The firmware of every servo, by joint, as a calibration has it.

    Raises:
        HardwareError: a servo is missing, is another one, or has the wrong supply.
    """
    numbers = {joint.name: _number(bus, joint) for joint in robot.joints}
    _require_all(robot, [joint for joint in robot.joints if numbers[joint.name] is None])
    for joint in robot.joints:
        servo = SERVOS[joint.servo]
        if numbers[joint.name] != servo.number:
            raise HardwareError(
                f"{_named(joint)}: its servo reports model {numbers[joint.name]}, robot={robot.name} has a "
                f"{servo.name} ({servo.number}) there; correct the id, or give the robot= that this arm is"
            )
    for joint in robot.joints:
        _require_supply(bus, robot, joint)
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
        missing = ", ".join(f"{_named(joint)} does not answer" for joint in silent)
        raise HardwareError(
            f"{robot.port}: {missing}; check the cable there, and that no two servos have one id (porl-robot "
            f"scan port={robot.port} lists them)"
        )


def _require_supply(bus: Bus, robot: RobotDescription, joint: JointDescription) -> None:
    scale = SERVOS[joint.servo].registers["present_voltage"].scale
    names = ("present_voltage", "min_voltage", "max_voltage")
    volts, lowest, highest = (scale * insist.read(bus, joint.id, name) for name in names)
    if not lowest <= volts <= highest:
        raise HardwareError(
            f"{_named(joint)}: gets {volts:.1f} V, its servo takes {lowest:.1f} to {highest:.1f}; connect the supply "
            "that these servos are made for at once"
        )
    # Small Dynamixel servos beside large ones, which could not stand the arm's supply, have a converter of their own.
    converted = robot.protocol == "dynamixel" and robot.supply > highest
    if not converted and abs(volts - robot.supply) > _SUPPLY_TOLERANCE * robot.supply:
        raise HardwareError(
            f"{_named(joint)}: gets {volts:.1f} V, robot={robot.name} is made for {robot.supply:g}; connect that "
            "supply, or give robot.supply= where its servos are of another kind"
        )


def _named(joint: JointDescription) -> str:
    return f"{joint.name} (id {joint.id})"
