"""The path a servo's setpoint takes to its goal, and what the shaft is pulled to on the way."""

from __future__ import annotations

import math


class Profile:
    """A trapezoid in velocity, found step by step, so that the goal may change at any time. Ticks and seconds.

    Attributes:
        position, velocity: of the setpoint.
        backlash: whole width of the play by which the pull comes behind the setpoint.
    """

    def __init__(self) -> None:
        self.position = 0.0
        self.velocity = 0.0
        self.backlash = 0.0
        self._pull = 0.0

    def rest_at(self, position: float) -> None:
        """Puts the setpoint at `position`, at rest, with the slack on no side."""
        self.position = self._pull = position
        self.velocity = 0.0

    def advance(self, goal: float, speed: float, acceleration: float, dt: float) -> float:
        """Lets the setpoint go on for `dt` to `goal` within `speed` and `acceleration` (either may be infinite).

        Returns:
            What the shaft is pulled to: the setpoint, or where the play leaves it.
        """
        remaining = goal - self.position
        if math.isinf(acceleration):
            self.velocity = math.copysign(min(speed, abs(remaining) / dt), remaining)
        else:
            # The speed from which it can still stop in time, one step ahead.
            stoppable = math.sqrt(2.0 * acceleration * abs(remaining) + (acceleration * dt / 2) ** 2)
            wanted = math.copysign(min(speed, max(stoppable - acceleration * dt / 2, 0.0)), remaining)
            change = acceleration * dt
            self.velocity = min(max(wanted, self.velocity - change), self.velocity + change)
        step = self.velocity * dt
        # The sum may round to the goal where the step is a little shorter than what remains.
        arrives = abs(step) >= abs(remaining) or self.position + step == goal
        if step * remaining >= 0.0 and arrives:
            self.position, self.velocity = goal, 0.0
        else:
            self.position += step
        slack = self.backlash / 2
        self._pull = min(max(self._pull, self.position - slack), self.position + slack)
        return self._pull
