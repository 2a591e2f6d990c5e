"""One joint: between its servo's counts and radians."""

from __future__ import annotations

from dataclasses import dataclass

from hardware.calibration import TICKS_PER_TURN, Calibration, JointCalibration
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.servos import SERVOS, ServoModel


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint, its servo and its calibration.

    Attributes:
        turns: whole turns that the servo counts more than the calibration does.
    """

    name: str
    id: int
    servo: ServoModel
    calibration: JointCalibration
    turns: int = 0

    def __str__(self) -> str:
        return f"{self.name} (id {self.id})"

    def position(self, values: dict[str, int]) -> float:
        """Angle [rad] in a reading of its servo."""
        return self.radians(values["present_position"])

    def radians(self, ticks: int) -> float:
        """The angle [rad] that its servo counts as `ticks`."""
        return self.calibration.radians(ticks - self.turns * TICKS_PER_TURN)

    def ticks(self, radians: float) -> int:
        """What its servo counts at an angle [rad], or at the end of the range where the angle lies beyond."""
        return self.calibration.ticks(radians) + self.turns * TICKS_PER_TURN

    def velocity(self, values: dict[str, int]) -> float:
        """Angular velocity [rad/s] in a reading of its servo."""
        return self.calibration.sign * self.scaled(values, "present_velocity")

    def load(self, values: dict[str, int]) -> float:
        """Load in a reading of its servo, share of the full duty: what it drives with, where it measures none."""
        register = "present_load" if "present_load" in self.servo.registers else "present_pwm"
        return self.calibration.sign * self.scaled(values, register)

    def current(self, values: dict[str, int]) -> float:
        """Current [A] in a reading of its servo; zero where it measures none."""
        return self.calibration.sign * self.scaled(values, "present_current")

    def scaled(self, values: dict[str, int], register: str) -> float:
        """A register of a reading in its own unit; zero where the servo has no such register."""
        if register not in self.servo.registers:
            return 0.0
        return values[register] * self.servo.registers[register].scale


def joints_of(robot: RobotDescription, calibration: Calibration) -> tuple[Joint, ...]:
    """The joints of an arm in the robot's order.

    Raises:
        HardwareError: the calibration is that of another arm, or a servo is not known.
    """
    if calibration.robot != robot.name:
        raise HardwareError(
            f"the calibration of {calibration.serial} is that of a {calibration.robot}, robot={robot.name} was given; "
            f"give robot={calibration.robot}, or calibrate this arm"
        )
    if tuple(calibration.joints) != robot.names:
        raise HardwareError(
            f"the calibration of {calibration.serial} has the joints {', '.join(calibration.joints)}, robot="
            f"{robot.name} has {', '.join(robot.names)}; calibrate this arm again"
        )
    made = []
    for described in robot.joints:
        own = calibration.joints[described.name]
        if (own.id, own.servo) != (described.id, described.servo):
            raise HardwareError(
                f"{described.name}: calibrated as a {own.servo} with id {own.id}, robot={robot.name} has a "
                f"{described.servo} with id {described.id} there; calibrate this arm again"
            )
        if described.servo not in SERVOS:
            raise HardwareError(f"{described.name}: no servo {described.servo}; there are {', '.join(SERVOS)}")
        made.append(Joint(described.name, described.id, SERVOS[described.servo], own))
    return tuple(made)
