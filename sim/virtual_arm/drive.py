"""The part of a servo that turns: its motor, what it draws and how warm it gets, and the law that drives it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from sim.virtual_arm.memory import Memory
from sim.virtual_arm.motor import Motor
from sim.virtual_arm.profile import Profile

TURN = 4096
"""Encoder ticks in a turn."""

TICKS_PER_RADIAN = TURN / math.tau

ROOM = 25.0
"""Temperature of the room [degC]."""

_WARMING = 10.0
_WARM_AGAIN = 5.0


class Drive(ABC):
    """Turns registers into torque and motion into registers.

    Positions are encoder ticks, counted on past the turn; a positive duty moves towards higher ones.

    Attributes:
        direction: -1 where the servo is set to count and turn the other way.
        shaft: position as it is, before that [ticks].
        speed: rate of the position as it is [ticks/s].
        volts: at the servo's terminals.
        duty: share of the voltage that the motor gets, in [-1, 1].
        current: in the winding [A].
        temperature: of the case [degC].
        frozen: what the encoder goes on reporting [ticks], or None where it works.
        pressed: load that is measured at least, as a share of the full drive.
        heated: temperature that something outside warms it to, or None.
    """

    def __init__(self, memory: Memory, motor: Motor) -> None:
        self.memory = memory
        self.motor = motor
        self.direction = 1
        self.shaft = 0.0
        self.speed = 0.0
        self.volts = 0.0
        self.duty = 0.0
        self.current = 0.0
        self.temperature = ROOM
        self.frozen: float | None = None
        self.pressed = 0.0
        self.heated: float | None = None
        self.profile = Profile()
        self._ahead = 0.0
        self._torque_per_volt = motor.kt / motor.resistance

    @property
    @abstractmethod
    def driven(self) -> bool:
        """Whether the motor gets any voltage: without torque it turns freely."""

    @abstractmethod
    def power_up(self) -> None:
        """Begins anew from a memory after power-up."""

    @abstractmethod
    def reload(self) -> None:
        """Takes over what was written into the registers."""

    @abstractmethod
    def present(self) -> int:
        """The position as the servo reports it [ticks]."""

    @abstractmethod
    def report(self) -> None:
        """Writes what is measured into the registers."""

    @abstractmethod
    def protect(self, dt: float) -> None:
        """Watches load, current, temperature and voltage, `dt` after it last did."""

    @abstractmethod
    def _law(self, dt: float) -> float:
        """The duty that the registers and the motion ask for."""

    @property
    def encoder(self) -> float:
        """The position as the servo's own encoder sees it [ticks]."""
        return (self.shaft if self.frozen is None else self.frozen) * self.direction

    @property
    def rate(self) -> float:
        """The speed, which the servo takes from its encoder as well [ticks/s]."""
        return self.speed if self.frozen is None else 0.0

    @property
    def load(self) -> float:
        """Share of the full drive, as measured."""
        return math.copysign(max(abs(self.duty), self.pressed), self.duty)

    @property
    def drawn(self) -> float:
        """What it takes from the supply [A]."""
        return max(self.duty * self.current, 0.0)

    def advance(self, shaft: float, speed: float, volts: float, dt: float) -> float:
        """The torque at the shaft for the next `dt` [N m], less what the damping of a driven motor takes."""
        self.shaft, self.speed, self.volts = shaft, speed * self.direction, volts
        if not self.driven:
            self.duty = self.current = 0.0
            return 0.0
        motor = self.motor
        self.duty = self._law(dt)
        self.current = (volts * self.duty - motor.kt * self.speed / TICKS_PER_RADIAN) / motor.resistance
        return min(max(self._torque_per_volt * volts * self.duty, -motor.stall), motor.stall) * self.direction

    def _run_ahead(self, velocity: float, acceleration: float, lead: float, dt: float) -> float:
        """How far a setpoint that gets to `velocity` and runs on is ahead of the shaft [ticks]: `lead` at most."""
        change = acceleration * dt
        self.profile.velocity += min(max(velocity - self.profile.velocity, -change), change)
        self._ahead = min(max(self._ahead + (self.profile.velocity - self.rate) * dt, -lead), lead)
        return self._ahead

    def warm(self, dt: float) -> None:
        """Lets the losses of `dt` heat the case and the room cool it."""
        if self.heated is not None and self.temperature < self.heated:
            self.temperature = min(self.temperature + _WARMING * dt, self.heated)
            return
        loss = self.current**2 * self.motor.resistance
        cooled = (self.temperature - ROOM) / self.motor.cooling
        self.temperature += dt * (loss - cooled) / self.motor.capacity

    def is_hot(self, before: bool) -> bool:
        """Whether it is too warm; once it is, it stays so until it has cooled by a few degrees."""
        return self.temperature > self.memory["max_temperature"] - (_WARM_AGAIN if before else 0.0)

    def voltage_is_wrong(self) -> bool:
        """Whether the supply is outside what the servo is set to."""
        return not self.memory.quantity("min_voltage") <= self.volts <= self.memory.quantity("max_voltage")
