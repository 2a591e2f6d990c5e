"""How an X-series servo drives its motor, and how it protects itself."""

from __future__ import annotations

import math
from enum import IntEnum

from sim.virtual_arm.drive import TICKS_PER_RADIAN, TURN, Drive
from sim.virtual_arm.memory import Memory
from sim.virtual_arm.motor import Motor

VOLTAGE, OVERHEAT, OVERLOAD = 0x01, 0x04, 0x20
"""Bits of `status` and of `shutdown`."""

FULL_PWM = 885
"""PWM of the whole supply."""

TRIPPED = -1
"""What `bus_watchdog` reads once it has stopped the servo."""

SPEED = 0.229 * TURN / 60
"""One count of velocity [ticks/s]."""

_ACCELERATION = 214.577 * TURN / 3600
"""One count of acceleration [ticks/s^2]."""

_OFFSET_IN_ONE_TURN = 1024
"""Outside it, mode 3 ignores the homing offset [ticks]."""

_REVERSED = 0x01
"""Bit of `drive_mode`."""

_IN_POSITION = 20
_ARRIVED, _GOING = 0x01, 0x02
"""How near the goal counts as there [ticks], and the bits of `moving_status`."""

# The manual gives the gains' divisors, not the periods they are sampled at: 1 ms is taken for I. For D the period is
# such that D 600 beside P 1500 damps like the kv of configs/robot/models/light.xml.
_I_PERIOD, _D_PERIOD = 1e-3, 0.0113

# The manual says no more than that a load must persist to count as overload: so long, at this share of full drive.
_HEAVY, _HEAVY_TIME = 0.8, 1.0


class Mode(IntEnum):
    """Values of `operating_mode`."""

    CURRENT = 0
    VELOCITY = 1
    POSITION = 3
    EXTENDED = 4
    CURRENT_POSITION = 5
    PWM = 16


class DynamixelDrive(Drive):
    """Position, velocity, current and PWM control. Not modelled: feed-forward, time-based profiles, PWM slope."""

    def __init__(self, memory: Memory, motor: Motor) -> None:
        super().__init__(memory, motor)
        self._driven = False
        self._turn = 0
        self._integral = 0.0
        self._heavy_for = self._silent_for = 0.0
        self._mode = Mode.POSITION
        self.tripped = False

    @property
    def driven(self) -> bool:
        return self._driven

    def power_up(self) -> None:
        self.tripped = self._driven = False
        self._heavy_for = self._silent_for = 0.0
        self.within_one_turn()
        self.reload()
        self.begin_mode()

    def begin_mode(self) -> None:
        """Sets the goals that go with the operating mode, when it was just chosen."""
        memory = self.memory
        if self._mode in (Mode.POSITION, Mode.EXTENDED):
            self.within_one_turn()
        memory["goal_position"] = self.present()
        memory["goal_velocity"] = 0
        memory["goal_pwm"] = 0 if self._mode == Mode.PWM else memory["pwm_limit"]
        if "goal_current" in memory:
            memory["goal_current"] = 0 if self._mode == Mode.CURRENT else memory["current_limit"]
        self.reload()

    def within_one_turn(self) -> None:
        """Forgets the turns that were counted."""
        self._turn = TURN * math.floor(self.encoder / TURN)

    def reload(self) -> None:
        memory = self.memory
        self.direction = -1 if memory["drive_mode"] & _REVERSED else 1
        self._mode = Mode(memory["operating_mode"])
        offset = memory["homing_offset"]
        ignored = self._mode == Mode.POSITION and abs(offset) > _OFFSET_IN_ONE_TURN
        self._offset = 0 if ignored else offset
        self._p = memory["position_p"] / 128 / FULL_PWM
        self._i = memory["position_i"] / 65536 / FULL_PWM / _I_PERIOD
        self._d = memory["position_d"] / 16 / FULL_PWM * _D_PERIOD
        self._limit = min(abs(memory["goal_pwm"]), memory["pwm_limit"]) / FULL_PWM
        self._pwm = memory["goal_pwm"] / FULL_PWM
        self._amperes = memory.quantity("goal_current") if "goal_current" in memory else math.inf
        self._goal = float(memory["goal_position"])
        self._velocity = memory["goal_velocity"] * SPEED
        self._speed = memory["profile_velocity"] * SPEED or math.inf
        self._acceleration = memory["acceleration"] * _ACCELERATION or math.inf
        driven = memory["torque_enable"] == 1
        if driven and not self._driven:
            if self._mode == Mode.POSITION:
                self.within_one_turn()
            self.profile.rest_at(self.present())
            self._integral = self._ahead = 0.0
        self._driven = driven

    def hear(self) -> None:
        """Tells the watchdog that there was an instruction on the bus."""
        self._silent_for = 0.0

    def present(self) -> int:
        return round(self.encoder) - self._turn + self._offset

    def report(self) -> None:
        memory = self.memory
        memory["present_position"] = self.present()
        memory["present_velocity"] = round(self.rate / SPEED)
        memory.put("present_pwm", self.load)  # an overloaded servo drives with all it has
        if "present_current" in memory:
            memory.put("present_current", self.current)
        else:
            memory.put("present_load", self.load)
        memory["velocity_trajectory"] = round(self.profile.velocity / SPEED)
        memory["position_trajectory"] = round(self.profile.position)
        memory.put("present_voltage", self.volts)
        memory.put("present_temperature", self.temperature)
        going = self._driven and self.profile.position != self._goal
        memory["moving"] = int(going or abs(self.rate) > memory["moving_threshold"] * SPEED)
        there = abs(self._goal - self.present()) <= _IN_POSITION
        memory["moving_status"] = _ARRIVED * there + _GOING * going

    def protect(self, dt: float) -> None:
        memory = self.memory
        before = memory["status"]
        self._heavy_for = self._heavy_for + dt if self._driven and abs(self.load) >= _HEAVY else 0.0
        # Unlike Feetech's, a bit that was set stays until the servo is rebooted.
        status = before
        if self._heavy_for >= _HEAVY_TIME:
            status |= OVERLOAD
        if self.is_hot(bool(before & OVERHEAT)):
            status |= OVERHEAT
        if self.voltage_is_wrong():
            status |= VOLTAGE
        memory["status"] = status
        if status & memory["shutdown"] and not self.tripped:
            self.tripped = True
            memory["torque_enable"] = 0
            self.reload()
        self._watch(dt)

    def _watch(self, dt: float) -> None:
        """The bus watchdog: stops a servo that is driven while the bus is silent."""
        allowed = self.memory.quantity("bus_watchdog")
        if allowed <= 0.0 or not self._driven:
            self._silent_for = 0.0
            return
        self._silent_for += dt
        if self._silent_for > allowed:
            memory = self.memory
            memory["bus_watchdog"] = TRIPPED
            memory["profile_velocity"] = memory["acceleration"] = memory["goal_velocity"] = 0
            memory["goal_position"] = self.present()
            if self._mode == Mode.PWM:
                memory["goal_pwm"] = 0
            elif self._mode == Mode.CURRENT:
                memory["goal_current"] = 0
            self.reload()

    def _law(self, dt: float) -> float:
        if self._mode == Mode.PWM:
            return self._pwm
        if self._mode == Mode.CURRENT:
            duty = math.copysign(1.0, self._amperes)
        else:
            duty = min(max(self._pid(self._error(dt), dt), -self._limit), self._limit)
        return self._within_current(duty) if self._mode in (Mode.CURRENT, Mode.CURRENT_POSITION) else duty

    def _pid(self, error: float, dt: float) -> float:
        wound = self._integral + self._i * error * dt
        duty = self._p * error + wound - self._d * self.rate
        # Anti-windup: the integral stops where the drive can give no more.
        if abs(duty) < self._limit or wound * error < 0.0:
            self._integral = wound
        return duty

    def _error(self, dt: float) -> float:
        """How far the setpoint is ahead of the shaft [ticks]."""
        if self._mode != Mode.VELOCITY:
            return self.profile.advance(self._goal, self._speed, self._acceleration, dt) - self.present()
        full_drive = 1.0 / max(self._p, 1e-9)
        return self._run_ahead(self._velocity, self._acceleration, full_drive, dt)

    def _within_current(self, duty: float) -> float:
        """The duty nearest to `duty` at which the winding takes no more than the goal current."""
        motor = self.motor
        still = motor.kt * self.speed / TICKS_PER_RADIAN
        swing = abs(self._amperes) * motor.resistance
        volts = max(self.volts, 1e-3)
        return min(max(duty, (still - swing) / volts, -1.0), (still + swing) / volts, 1.0)
