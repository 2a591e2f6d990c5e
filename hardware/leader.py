"""A second arm without torque, moved by a person: where it is, the arm of the task is led."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hardware.arm.driver import Arm, open_arm
from hardware.arm.faults import ArmFault, FaultKind
from hardware.arm.limits import with_ranges
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.identity import calibration_file, require_same_arm
from hardware.reach_env import ReachEnv, kinematics_of
from porl_robot.command import FloatArray
from porl_robot.errors import UsageError, UserError
from porl_robot.kinematics import ArmKinematics
from porl_robot.supervision import Fault

_MISSED = 10
"""Looks in a row at which servos may fail to answer: meanwhile they count as unmoved, which endangers nobody."""

_SAME_PLACE = 0.01
"""Tools of one kinematics are no further apart than this in the same pose [m]."""


class Leader:
    """A `porl_robot.supervision.Teleoperator`. Its servos are only read: their torque is never switched on.

    Args:
        env: the arm that is to follow.
        follower: how that arm is described.
        robot: what kind of arm the leader is.
        port: of the leader.
        supply: of the leader, nominal [V]; None where it is that of `robot`.

    Raises:
        UserError: it cannot lead; says why and what helps. Nothing of it was changed.
    """

    def __init__(
        self, env: ReachEnv, follower: RobotDescription, robot: RobotDescription, port: str, supply: float | None = None
    ) -> None:
        self._env, self._port = env, port
        volts = robot.supply if supply is None else supply
        own = replace(robot, port=port, time_scale=follower.time_scale, supply=volts)
        if follower.port is not None and Path(port).resolve() == Path(follower.port).resolve():
            raise UsageError(f"teleop.port={port}: is the port of the arm that follows; give that of the leader")
        try:
            _require_same_kinematics(own, env.kinematics)
            self._arm = _opened(own)
        except UserError as error:
            kind = UsageError if isinstance(error, UsageError) else HardwareError
            raise kind(f"the leader (teleop.robot, teleop.port): {error}") from error
        self._missed, self._trouble = 0, "servos do not answer"

    def act(self) -> FloatArray | Fault:
        """What leads the commanded joints to where the leader's are, by at most 1. Shape (A,)."""
        try:
            self._missed = 0 if self._arm.read() else self._missed + 1
        except ArmFault as error:
            self._missed, self._trouble = self._missed + 1, error.fault.cause
            if error.fault.kind is FaultKind.DISCONNECTED:
                self._missed = _MISSED
        if self._missed >= _MISSED:
            return Fault(
                f"the leader at {self._port} cannot be read: {self._trouble}",
                "check its cable and its supply, then start again",
            )
        commanded = self._env.robot_state().commanded.values
        return self._env.task.action(commanded, self._arm.telemetry.position)

    def close(self) -> None:
        self._arm.close()


def _opened(robot: RobotDescription) -> Arm:
    """The leader, every check of an arm passed.

    Raises:
        UserError: one was not, or its torque is on.
    """
    port = require_same_arm(robot)
    arm = open_arm(with_ranges(robot), calibration_file(port), Clock(robot.time_scale))
    if any(arm.drive.on):
        arm.close()
        raise HardwareError(
            f"the torque of {port} is on, so nobody can move it; hold the arm, switch its supply off and on, then "
            "start again"
        )
    return arm


def _require_same_kinematics(robot: RobotDescription, follower: ArmKinematics) -> None:
    """Refuses an arm whose tool is elsewhere in the pose of the follower.

    Raises:
        UsageError: it is; or the joints are others, or there is no model to tell by.
    """
    own = kinematics_of(robot)
    poses = [follower.rest, follower.lower, follower.upper]
    if own.names == follower.names:
        apart = max(float(np.linalg.norm(own.tool_position(each) - follower.tool_position(each))) for each in poses)
        if apart <= _SAME_PLACE:
            return
    raise UsageError(
        f"robot={robot.name}: has other joints, zeros or lengths than the arm that follows; expected an arm of the "
        "same kinematics"
    )
