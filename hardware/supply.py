"""What the servos of an arm are supplied with, and are to be."""

from __future__ import annotations

from collections.abc import Sequence

from hardware import insist
from hardware.bus import Bus
from hardware.description import JointDescription, RobotDescription
from hardware.errors import HardwareError
from hardware.servos import SERVOS

_TOLERANCE = 0.25


def require_supply(bus: Bus, robot: RobotDescription, joint: JointDescription) -> None:
    """Holds the voltage that a servo reports against its own limits and against what its joint is made for.

    Raises:
        HardwareError: it has the wrong supply.
    """
    scale = SERVOS[joint.servo].registers["present_voltage"].scale
    names = ("present_voltage", "min_voltage", "max_voltage")
    volts, lowest, highest = (scale * insist.read(bus, joint.id, name) for name in names)
    if not lowest <= volts <= highest:
        raise HardwareError(
            f"{joint}: gets {volts:.1f} V, its servo takes {lowest:.1f} to {highest:.1f}; connect the supply "
            "that these servos are made for at once"
        )
    supply = robot.supply_of(joint)
    if abs(volts - supply) > _TOLERANCE * supply:
        key = "supply" if joint.supply is None else f"joints.{joint.name}.supply"
        raise HardwareError(
            f"{joint}: gets {volts:.1f} V, robot={robot.name} is made for {supply:g} there; connect that "
            f"supply, or give robot.{key}= where its servo is of another kind"
        )


def lowest_voltages(robot: RobotDescription, volts: Sequence[float]) -> str:
    """For every supply of the arm the lowest of the voltages at its servos (n,) [V]: "11.9 V of 12, 4.9 V of 5"."""
    lowest: dict[float, float] = {}
    for nominal, found in zip(robot.supplies, volts, strict=True):
        lowest[nominal] = min(found, lowest.get(nominal, found))
    return ", ".join(f"{found:.1f} V of {nominal:g}" for nominal, found in lowest.items())
