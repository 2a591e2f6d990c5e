"""What the host does with the arm from tick to tick: its state, the goal, and what silence leads to."""

from __future__ import annotations

import numpy as np

from hardware.arm.faults import Fault, FaultKind
from hardware.description import DeadMan
from hardware.host.dead_man import Stage, stage
from hardware.host.messages import Follow, HostState
from hardware.host.motion import GoalMotion, Waypoint
from porl_robot.command import FloatArray
from porl_robot.safety import JointLimits

_FINAL = frozenset({HostState.STOPPING, HostState.STOPPED, HostState.FAULT})
_YIELDING = frozenset({FaultKind.OVERLOAD, FaultKind.OVERHEATED, FaultKind.SHUT_DOWN, FaultKind.STUCK})
_DEAF = frozenset({FaultKind.DISCONNECTED, FaultKind.SILENT, FaultKind.IMPLAUSIBLE, FaultKind.BROWN_OUT})
_YIELD_TIME = 0.05
_SETTLING = 0.3  # s that a joint may take to follow its goal to rest


class Conduct:
    """Knows neither bus nor sockets. All times in arm seconds.

    Args:
        dead_man: of the robot.

    Attributes:
        leaving: nobody is to command any more, and the host ends once the arm is safe.
    """

    def __init__(self, dead_man: DeadMan) -> None:
        self._dead_man = dead_man
        self._motion: GoalMotion | None = None
        self._heard = 0.0
        self.leaving = False
        self._end_reached = False
        self._rested: float | None = None
        self.state = HostState.DISARMED
        self.fault: Fault | None = None

    def arm(self, limits: JointLimits, position: FloatArray, now: float) -> None:
        """Torque is on, the goals stand at `position` (n,)."""
        self._motion = GoalMotion(limits, position, now)
        self._heard = now
        self.state = HostState.HOLDING

    def follow(self, order: Follow, now: float) -> bool:
        """Sets out for what `order` says; False where the state does not allow it, or the order is not fresh.

        Raises:
            ValueError: it is no motion of these joints.
        """
        if self._motion is None or self.state not in (HostState.HOLDING, HostState.FOLLOWING, HostState.LAPSED):
            return False
        if now - order.sent > self._dead_man.hold_after:
            return False
        parts = [np.array(part) for part in (order.position, order.velocity, order.acceleration)]
        size = len(self._motion.at(now).position)
        if any(len(part) != size for part in parts) or not order.duration > 0.0:
            raise ValueError(f"a command is no motion of {size} joints: {order}")
        self._motion.follow(Waypoint(*parts), order.duration, now)
        self._heard = now
        self.state = HostState.FOLLOWING
        return True

    def hold(self, now: float) -> None:
        """Comes to rest and stands still until told otherwise."""
        if self._motion is not None and self.state in (HostState.FOLLOWING, HostState.LAPSED):
            self._motion.brake(now)
            self.state = HostState.HOLDING

    def release(self) -> None:
        """The torque is off by order, the arm in somebody's hands."""
        self._motion = None
        self.state = HostState.RELEASED

    def stop(self, now: float) -> None:
        """Comes to rest, then asks for the end state. Without torque there is nothing to stop."""
        if self._motion is None:
            self._end_reached = True
            if self.state is HostState.RELEASED:
                self.state = HostState.STOPPED
        elif self.state not in _FINAL:
            self._motion.brake(now)
            self.state = HostState.STOPPING

    def leave(self, now: float) -> None:
        """Stops, and is over with that."""
        self.leaving = True
        self.stop(now)

    def fail(self, fault: Fault, position: FloatArray, now: float) -> None:
        """Latches the first fault. Where the load is the trouble, the goal gives way to `position` (n,) [rad]."""
        if self.fault is not None:
            return
        self.fault, self.state = fault, HostState.FAULT
        if self._motion is None:
            self._end_reached = True
        elif fault.kind in _DEAF:
            self._motion.rest(self._motion.at(now).position, now)
        elif fault.kind in _YIELDING:
            self._motion.follow(Waypoint.at_rest(position), _YIELD_TIME, now)
        else:
            self._motion.brake(now)

    def explain(self, fault: Fault) -> None:
        """What lay behind the servos' silence or the sagging supply."""
        if self.fault is not None and self.fault.kind in (FaultKind.SILENT, FaultKind.VOLTAGE):
            self.fault = fault

    def owner_gone(self, now: float) -> None:
        """The robot process has ended: nobody will command any more."""
        if self.leaving:
            return
        self.leaving = True
        if self.state is HostState.HOLDING:
            self._heard = now
        if self._motion is None:
            self._end_reached = True
        elif self.state in (HostState.HOLDING, HostState.FOLLOWING):
            self._motion.brake(now)
            self.state = HostState.LAPSED

    def goal(self, now: float) -> FloatArray | None:
        """What the servos are to reach now, shape (n,); None where none is to be sent."""
        if self.state in (HostState.FOLLOWING, HostState.LAPSED):
            self._heed_silence(now)
        if self._motion is None or self._end_reached:
            return None
        return self._motion.at(now).position

    def end_state_due(self, now: float, still: bool = True) -> bool:
        """Whether the arm is to go into its end state: its goal rests, and it does, or has had the time to.

        Args:
            still: whether the joints rest as well.
        """
        ending = self.state in (HostState.STOPPING, HostState.FAULT) and not self._end_reached
        if not ending or self._motion is None or not self._motion.at_rest(now):
            return False
        if self._rested is None:
            self._rested = now
        return still or now - self._rested >= _SETTLING

    def end_state_reached(self) -> None:
        """The arm is in its end state, as far as it can be brought there."""
        self._end_reached = True
        if self.state is HostState.STOPPING:
            self.state = HostState.STOPPED

    @property
    def disconnected(self) -> bool:
        """Whether there is nobody left to talk to."""
        return self.fault is not None and self.fault.kind is FaultKind.DISCONNECTED

    @property
    def over(self) -> bool:
        """Whether the arm is safe and nobody is left who could ask for more."""
        return self.leaving and self._end_reached

    def _heed_silence(self, now: float) -> None:
        assert self._motion is not None
        reached = stage(now - self._heard, self._dead_man)
        if reached is Stage.STOP:
            self.stop(now)
        elif reached is Stage.HOLD and self.state is HostState.FOLLOWING:
            self._motion.brake(now)
            self.state = HostState.LAPSED
