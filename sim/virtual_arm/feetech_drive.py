"""How an STS servo drives its motor, and how it protects itself."""

from __future__ import annotations

import math
from enum import IntEnum

from sim.virtual_arm.drive import TICKS_PER_RADIAN, TURN, Drive
from sim.virtual_arm.memory import Memory
from sim.virtual_arm.motor import Motor

CENTRE = 2048
"""Where torque_enable = 128 puts the present position [ticks]."""

VOLTAGE, OVERHEAT, OVER_CURRENT, OVERLOAD = 0x01, 0x04, 0x08, 0x20
"""Bits of `status`, of the error byte and of `unload_condition`."""

# Duty per unit of P and radian of error, and the most there is: identified by Rhoban's bam.
_DUTY_PER_RADIAN = 0.166
_LARGEST_DUTY = 0.97

_ACCELERATION = 100.0
"""One count of the acceleration register [ticks/s^2]."""

_MULTI_TURN = 0x10
"""Bit of `phase`: positions go on past the turn."""

_DIRECTION = 1 << 10
"""Direction bit of the duty in PWM mode, as the vendor's SDK has it."""

_STANDSTILL = 20.0
"""Below this a servo that has reached its goal counts as standing [ticks/s]."""


class Mode(IntEnum):
    """Values of `operating_mode`."""

    POSITION = 0
    VELOCITY = 1
    PWM = 2
    STEP = 3


class FeetechDrive(Drive):
    """Proportional control of the position towards a setpoint that moves within speed and acceleration.

    Not modelled: the D and I gains, the dead zones and the least starting force, which the identified gain and
    friction stand for; the reversed directions and the unit of speed in `phase`.
    """

    def __init__(self, memory: Memory, motor: Motor) -> None:
        super().__init__(memory, motor)
        self._driven = False
        self._turn = 0
        self._heavy_for = self._current_for = 0.0
        self._overload: float | None = None

    @property
    def driven(self) -> bool:
        return self._driven

    def power_up(self) -> None:
        self._driven = False
        self._turn = TURN * math.floor(self.encoder / TURN)
        self._heavy_for = self._current_for = 0.0
        self._overload = None
        self.memory["torque_limit"] = self.memory["max_torque"]
        self.memory["lock"] = 1
        self.reload()
        self.memory["goal_position"] = self.present()
        self.reload()

    def reload(self) -> None:
        memory = self.memory
        self._mode = memory["operating_mode"]
        self._offset = memory["homing_offset"]
        self._multi_turn = bool(memory["phase"] & _MULTI_TURN)
        self._gain = memory["position_p"] * _DUTY_PER_RADIAN / TICKS_PER_RADIAN
        self._limit = min(memory["torque_limit"] / 1000, _LARGEST_DUTY)
        self._protected_limit = min(memory["protective_torque"] / 100, self._limit)
        fastest = self.motor.speed * TICKS_PER_RADIAN
        self._speed = min(abs(memory["goal_velocity"]) or math.inf, fastest)
        self._velocity = min(max(memory["goal_velocity"], -fastest), fastest)
        self._acceleration = memory["acceleration"] * _ACCELERATION or math.inf
        pwm = memory["goal_time"]
        self._pwm = (pwm & (_DIRECTION - 1)) / 1000 * (-1 if pwm & _DIRECTION else 1)
        self._goal = float(memory["goal_position"])
        lower, upper = memory["min_position"], memory["max_position"]
        if self._mode == Mode.POSITION and (lower, upper) != (0, 0):
            self._goal = min(max(self._goal, lower), upper)
        driven = memory["torque_enable"] == 1
        if driven and not self._driven:
            self.profile.rest_at(self.present())
        self._driven = driven

    def take_step(self) -> None:
        """Takes the goal that was just written as a distance, which step mode does."""
        if self._mode == Mode.STEP:
            self.memory["goal_position"] = self.present() + self.memory["goal_position"]

    def centre(self) -> None:
        """Makes the present position the centre by writing the homing offset."""
        self.memory["homing_offset"] = max(round(self.encoder) % TURN - CENTRE, 1 - CENTRE)

    def forgive(self) -> None:
        """Forgets overload and over-current, as the servo does when its torque is switched."""
        self._overload = None
        self._heavy_for = self._current_for = 0.0
        self.memory["status"] &= ~(OVERLOAD | OVER_CURRENT)

    def present(self) -> int:
        actual = round(self.encoder)
        if self._multi_turn:
            return actual - self._turn - self._offset
        return (actual - self._offset) % TURN

    def report(self) -> None:
        memory = self.memory
        memory["present_position"] = self.present()
        memory.put("present_velocity", self.rate * memory.model.registers["present_velocity"].scale)
        memory.put("present_load", self.load)
        memory.put("present_voltage", self.volts)
        memory.put("present_temperature", self.temperature)
        memory.put("present_current", self.current)
        memory["goal_position_copy"] = memory["goal_position"]
        going = self._driven and self._mode != Mode.PWM and self.profile.position != self._goal
        memory["moving"] = int(going or abs(self.rate) > _STANDSTILL)

    def protect(self, dt: float) -> None:
        memory = self.memory
        before, unload = memory["status"], memory["unload_condition"]
        self._heavy_for = self._lasting(abs(self.load) * 100 >= memory["overload_torque"], self._heavy_for, dt)
        self._current_for = self._lasting(
            abs(self.current) >= memory.quantity("protection_current"), self._current_for, dt
        )
        if self._heavy_for >= memory.quantity("protection_time") and self._overload is None:
            self._overload = self.duty
        elif self._overload is not None and self.pressed == 0.0 and self._has_backed_off():
            self._overload = None
        status = before & OVER_CURRENT
        if self._current_for >= memory.quantity("over_current_time"):
            status |= OVER_CURRENT
        if self._overload is not None:
            status |= OVERLOAD
        if self.is_hot(bool(before & OVERHEAT)):
            status |= OVERHEAT
        if self.voltage_is_wrong():
            status |= VOLTAGE
        memory["status"] = status
        if self._driven and status & unload & (OVERHEAT | OVER_CURRENT):
            memory["torque_enable"] = 0
            self.reload()

    def _law(self, dt: float) -> float:
        duty = self._pwm if self._mode == Mode.PWM else self._gain * self._error(dt)
        limit = self._limit if self._overload is None else self._protected_limit
        return min(max(duty, -limit), limit)

    def _error(self, dt: float) -> float:
        """How far the setpoint is ahead of the shaft [ticks]."""
        if self._mode != Mode.VELOCITY:
            self._ahead = 0.0
            return self.profile.advance(self._goal, self._speed, self._acceleration, dt) - self.present()
        full_drive = _LARGEST_DUTY / max(self._gain, 1e-9)
        return self._run_ahead(self._velocity, self._acceleration, full_drive, dt)

    def _lasting(self, condition: bool, so_far: float, dt: float) -> float:
        return so_far + dt if self._driven and condition else 0.0

    def _has_backed_off(self) -> bool:
        """Whether the goal has come over to the other side of the shaft since the overload."""
        assert self._overload is not None
        return (self._goal - self.present()) * self._overload <= 0.0
