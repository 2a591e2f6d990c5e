"""The path a servo's setpoint takes to its goal."""

from __future__ import annotations

import math


class Profile:
    """A trapezoid in velocity, found step by step, so that the goal may change at any time. Ticks and seconds."""

    def __init__(self) -> None:
        self.position = 0.0
        self.velocity = 0.0

    def rest_at(self, position: float) -> None:
        """Puts the setpoint at `position`, at rest."""
        self.position = position
        self.velocity = 0.0

    def advance(self, goal: float, speed: float, acceleration: float, dt: float) -> float:
        """The setpoint `dt` later, on its way to `goal` within `speed` and `acceleration` (either may be infinite)."""
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
            self.rest_at(goal)
        else:
            self.position += step
        return self.position
