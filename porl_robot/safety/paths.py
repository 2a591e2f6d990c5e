"""Time-optimal paths within the limits of joints."""

from __future__ import annotations

import ruckig

from porl_robot.command import FloatArray
from porl_robot.safety.limits import JointLimits

_PLANNED = (ruckig.Result.Working, ruckig.Result.Finished)


class PathPlanner:
    """Plans from a motion to a target, or to rest, within velocity, acceleration and jerk of `limits`.

    Args:
        limits: of the joints.
        slack: what the limits are multiplied by, so that a start at their very edge does not fail by rounding.
        together: whether the joints arrive together; otherwise each as soon as it can.

    Attributes:
        to_target: a path to the target written into it. to_rest: braking; it ends where it may.
        path: the last that was planned.
    """

    def __init__(self, limits: JointLimits, slack: float = 1.0, together: bool = True) -> None:
        self._planner = ruckig.Ruckig(len(limits))
        self.path = ruckig.Trajectory(len(limits))
        self.to_target, self.to_rest = (_parameters(limits, slack, together) for _ in range(2))
        self.to_rest.control_interface = ruckig.ControlInterface.Velocity

    def plan(
        self, kind: ruckig.InputParameter, position: FloatArray, velocity: FloatArray, acceleration: FloatArray
    ) -> bool:
        """Whether there is a path of that kind, `to_target` or `to_rest`, from a motion: shape (n,), [rad], [rad/s],
        [rad/s^2].
        """
        kind.current_position = position.tolist()
        kind.current_velocity = velocity.tolist()
        kind.current_acceleration = acceleration.tolist()
        try:
            return self._planner.calculate(kind, self.path) in _PLANNED
        except ruckig.RuckigError:
            return False


def _parameters(limits: JointLimits, slack: float, together: bool) -> ruckig.InputParameter:
    parameters = ruckig.InputParameter(len(limits))
    if not together:
        parameters.synchronization = ruckig.Synchronization.No
    parameters.max_velocity = (slack * limits.velocity).tolist()
    parameters.max_acceleration = (slack * limits.acceleration).tolist()
    parameters.max_jerk = (slack * limits.jerk).tolist()
    return parameters
