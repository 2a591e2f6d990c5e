"""The arm as a whole: servos, body and supply, moving through time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hardware.calibration import CENTRE, Calibration
from hardware.description import RobotDescription
from hardware.servos import SERVOS
from sim.virtual_arm.body import Body, body_of
from sim.virtual_arm.chain import Chain
from sim.virtual_arm.drive import TICKS_PER_RADIAN
from sim.virtual_arm.dynamixel_chain import DynamixelChain
from sim.virtual_arm.dynamixel_servo import DynamixelServo
from sim.virtual_arm.eprom import Values
from sim.virtual_arm.feetech_chain import FeetechChain
from sim.virtual_arm.feetech_servo import FeetechServo
from sim.virtual_arm.motor import MOTORS
from sim.virtual_arm.servo import Servo

_CABLE = 0.1
"""Resistance between the supply and the servos [Ohm]."""

_RESET_BELOW = 3.0
"""A servo's processor stops below this supply [V]."""

_WATCH_EVERY = 5
"""Physics steps between two looks at temperature, protection and the like."""

_HAND_STIFFNESS, _HAND_DAMPING, _HAND_STRENGTH = 20.0, 1.0, 4.0
"""Of the hand that moves a joint [N m/rad], [N m s/rad], [N m]."""


@dataclass(frozen=True, slots=True)
class Mounting:
    """How a servo sits in its joint: encoder = zero + slope angle.

    Attributes:
        zero: what the encoder shows at the model's zero [ticks].
        slope: of the encoder over the joint's angle [ticks/rad].
    """

    zero: float
    slope: float


class VirtualArm:
    """Servos in the joints of a body, on one supply and one bus. Not to be shared between threads.

    Args:
        robot: whose description it follows.
        calibration: says how the servos are mounted: with it in their EPROM they read right.
        kept: what each servo remembers, in the joints' order.
        save: called whenever a servo changed its EPROM.
        backlash: play between what every servo aims at and its shaft, whole width [rad].

    Attributes:
        time: that it has moved through [s].
        supply: voltage of its supply [V].
        hands: angle to which a hand holds a joint, by the joint's place [rad].
    """

    def __init__(
        self,
        robot: RobotDescription,
        calibration: Calibration,
        kept: Sequence[Values],
        save: Callable[[], None],
        backlash: float = 0.0,
    ) -> None:
        self.time = 0.0
        self._supplies = robot.supplies
        self.supply = max(self._supplies)
        self.hands: dict[int, float] = {}
        motors = [MOTORS[joint.servo] for joint in robot.joints]
        self.body: Body = body_of(robot, motors)
        self.chain, self.servos = _chain(robot, kept, save)
        self._mountings = [_mounting(robot, calibration, name) for name in robot.names]
        self._driven = [False] * len(self.servos)
        self._steps = 0
        self._look()
        for servo in self.servos:
            servo.drive.power_up()
            servo.drive.profile.backlash = backlash * TICKS_PER_RADIAN

    def advance(self, until: float) -> None:
        """Moves on to the time `until` [s], in whole physics steps."""
        dt = self.body.timestep
        while self.time + dt <= until:
            self._step(dt)

    def restore_supply(self) -> None:
        """Sets the supply to what it should be."""
        self.supply = max(self._supplies)

    def state(self) -> dict[str, Any]:
        """The truth about the arm, as no servo tells it: angles [rad], rates [rad/s], temperatures [degC]."""
        return {
            "time": self.time,
            "volts": self.supply,
            "position": self.body.position(),
            "velocity": self.body.velocity(),
            "driven": [servo.drive.driven for servo in self.servos],
            "temperature": [servo.drive.temperature for servo in self.servos],
        }

    def _step(self, dt: float) -> None:
        volts = self.supply - _CABLE * sum(servo.drive.drawn for servo in self.servos)
        angles, rates = self.body.position(), self.body.velocity()
        torques = []
        for place, servo in enumerate(self.servos):
            zero, slope = self._mountings[place].zero, self._mountings[place].slope
            drive = servo.drive
            # Those made for less than the arm's supply stand behind a converter.
            own_volts = min(volts, self._supplies[place])
            torque = drive.advance(zero + slope * angles[place], slope * rates[place], own_volts, dt)
            torques.append(torque if slope > 0.0 else -torque)
            if drive.driven is not self._driven[place]:
                self._driven[place] = drive.driven
                self.body.brake(place, drive.motor.damping if drive.driven else drive.motor.viscous)
        for place, angle in self.hands.items():
            pull = _HAND_STIFFNESS * (angle - angles[place]) - _HAND_DAMPING * rates[place]
            torques[place] += min(max(pull, -_HAND_STRENGTH), _HAND_STRENGTH)
        self.body.advance(torques)
        self._steps += 1
        self.time = self._steps * dt
        if self._steps % _WATCH_EVERY == 0:
            for servo in self.servos:
                servo.power(volts >= _RESET_BELOW)
                servo.watch(_WATCH_EVERY * dt)

    def _look(self) -> None:
        """Shows the servos where they stand and what voltage there is."""
        for place, (servo, angle) in enumerate(zip(self.servos, self.body.position(), strict=True)):
            servo.drive.shaft = self._mountings[place].zero + self._mountings[place].slope * angle
            servo.drive.volts = min(self.supply, self._supplies[place])


def _chain(robot: RobotDescription, kept: Sequence[Values], save: Callable[[], None]) -> tuple[Chain, Sequence[Servo]]:
    models = [SERVOS[joint.servo] for joint in robot.joints]
    parts = [(model, MOTORS[model.name], values, save) for model, values in zip(models, kept, strict=True)]
    if robot.protocol == "feetech":
        feetech = FeetechChain([FeetechServo(*part) for part in parts])
        return feetech, feetech.servos
    dynamixel = DynamixelChain([DynamixelServo(*part) for part in parts])
    return dynamixel, dynamixel.servos


def _mounting(robot: RobotDescription, calibration: Calibration, name: str) -> Mounting:
    joint = calibration.joints[name]
    slope = joint.sign * TICKS_PER_RADIAN
    offset = joint.homing_offset if robot.protocol == "feetech" else -joint.homing_offset
    return Mounting(zero=CENTRE + offset - slope * joint.middle, slope=slope)
