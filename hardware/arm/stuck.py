"""Finds joints that do not move although their goal leads them: blocked, or read by an encoder that is stuck."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hardware.arm.faults import Fault, FaultKind
from hardware.arm.telemetry import Telemetry
from hardware.description import JointDescription
from porl_robot.command import FloatArray

BoolArray = npt.NDArray[np.bool_]

_RESPONSE = 0.05
"""A joint goes after its goal like a low-pass of this time constant [s] (our default): the goals of a policy leap ahead
of their joints and may be back before those have set out."""

_MOVED = 0.0008
"""A joint that changes by more has moved [rad]: half a tick."""

_LONG, _OFTEN = 0.05, 4
"""A joint stands only after so long [s] and so many readings: between two of them it may have turned round."""

_BEHIND = 0.03
"""How far a joint that stands may fall behind where it is expected [rad]. On virtual arms friction held joints back by
.016 at most where policies led them, and by .024 where goals leapt at random."""

_LYING, _SET_OUT = 0.2, 0.02
"""Until a joint has moved by `_SET_OUT` [rad] it may be `_LYING` behind: an arm that was let go lies on something, and
has to take up its weight, and to come free, before it moves. A pan joint was .12 behind; at .2 an SO-101's servo gives
all it has, which is an overload if it lasts."""

_LATELY = 0.038
"""Speeds are taken over so long [s]."""

_MOVING, _LED, _LED_FOR, _GOES_ON = 0.4, 0.1, 0.08, 0.025
"""A joint that was as fast as `_MOVING` does not come to stand at once while its goal goes the same way by `_LED` or
more [rad/s], for `_LED_FOR` before and `_GOES_ON` [s] after. A servo whose encoder stops on the way runs on by the
torque it had, wherever its goal goes then. In 159 minutes of learning policies on the twin
(`benchmarks/healthy_joints.py`) no healthy joint did so from .35 rad/s, two from .3."""


class StuckJoints:
    """Judges one cycle after the other.

    Args:
        joints: of the arm. One that grips may stand still at what it holds.
    """

    def __init__(self, joints: Sequence[JointDescription]) -> None:
        self._names, self._grips = [joint.name for joint in joints], np.array([joint.grips for joint in joints])
        self.begin()

    def begin(self) -> None:
        """Forgets the motion so far."""
        count = len(self._names)
        self._lately: deque[tuple[FloatArray, FloatArray, FloatArray]] = deque()
        self._expected = self._still = self._origin = self._since = self._least = self._speed = np.zeros(count)
        self._way = self._way_since = self._left_at = np.zeros(count)
        self._was_led = np.zeros(count, dtype=bool)
        self._readings = np.zeros(count, dtype=np.int64)
        self._has_set_out = np.zeros(count, dtype=bool)

    def fault(self, telemetry: Telemetry, goal: FloatArray) -> Fault | None:
        """A fault, or None.

        Where a joint turns round, it stands for a moment as well, but then it is expected to come nearer.

        Args:
            goal: what the servos were to reach when they were read, shape (n,) [rad].
        """
        position, now = telemetry.position, telemetry.measured
        if not self._lately:
            self._expected = self._still = self._origin = position.copy()
            self._since = self._way_since = now
            self._lately.append((now, position, goal))
            return None
        before = self._lately[-1][0]
        self._expected = self._expected + (goal - self._expected) * -np.expm1((before - now) / _RESPONSE)
        behind = np.abs(self._expected - position)
        moved = np.abs(position - self._still) > _MOVED
        self._least = np.where(moved, behind, np.minimum(behind, self._least))
        self._still = np.where(moved, position, self._still)
        self._since = np.where(moved, now, self._since)
        self._readings = np.where(moved, 0, self._readings + (now > before))
        self._has_set_out |= np.abs(position - self._origin) > _SET_OUT
        self._lately.append((now, position, goal))
        self._note_motion(moved)
        return self._found(behind - self._least, now - self._since)

    def _note_motion(self, moved: BoolArray) -> None:
        """How fast joints were when they `moved`, and whether their goals led them."""
        now, position, goal = self._lately[-1]
        while np.all(now - self._lately[1][0] >= _LATELY):
            self._lately.popleft()
        then, there, goal_there = self._lately[0]
        passed = np.maximum(now - then, _LATELY)
        speed, goal_speed = (position - there) / passed, (goal - goal_there) / passed
        way = np.where(np.abs(goal_speed) >= _LED, np.sign(goal_speed), 0.0)
        self._way_since = np.where(way == self._way, self._way_since, now)
        self._way = way
        self._speed, self._left_at = np.where(moved, (speed, goal), (self._speed, self._left_at))
        led = (way == np.sign(speed)) & (now - self._way_since >= _LED_FOR)
        still_for = now - self._since
        goes_on = (goal - self._left_at) * np.sign(self._speed) >= _LED * still_for
        self._was_led = np.where(moved, led, self._was_led & (goes_on | (still_for > _GOES_ON)))

    def _found(self, behind: FloatArray, still_for: FloatArray) -> Fault | None:
        left = behind > np.where(self._has_set_out, _BEHIND, _LYING)
        speed = np.abs(self._speed)
        dead = (speed > _MOVING) & self._was_led
        stands = (still_for > _LONG) & (self._readings >= _OFTEN) & ~self._grips
        stuck = np.flatnonzero(stands & (left | dead))
        if not len(stuck):
            return None
        joint = int(stuck[0])
        how = f"is {behind[joint]:.2f} rad behind" if left[joint] else f"stopped dead at {speed[joint]:.1f} rad/s"
        return Fault(
            FaultKind.STUCK,
            f"{self._names[joint]} has not moved for {still_for[joint]:.2f} s and {how}: "
            "blocked, or its encoder is stuck",
            self._names[joint],
        )
