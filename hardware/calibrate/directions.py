"""Which way each joint counts: it moves a little, and somebody who knows its model says how that looked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hardware import insist
from hardware.bus import Bus
from hardware.calibrate.nudge import nudged
from hardware.calibrate.operator import Operator
from hardware.calibrate.seen import seen
from hardware.calibrate.twin import true_positions
from hardware.calibration import TICKS_PER_TURN, JointCalibration
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.homing import turned
from porl_robot.kinematics import ArmKinematics


class Directions:
    """Moves joints a little, one after the other.

    Args:
        link: of a virtual arm, whose own joints are looked at; else None, and the operator is asked.
        signs: what the operator has said in advance, per joint.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        robot: RobotDescription,
        operator: Operator,
        link: Path | None,
        signs: Sequence[int] | None,
    ) -> None:
        self._bus, self._clock, self._robot, self._operator = bus, clock, robot, operator
        self._link, self._signs = link, signs
        self._model = None if robot.model is None else ArmKinematics(robot.model)

    def confirmed(self, joints: Mapping[str, JointCalibration]) -> dict[str, JointCalibration]:
        """`joints` with their true signs. From the base outwards, so that the way to a joint is known when it moves.

        Raises:
            HardwareError: a joint does not follow.
            UsageError: nobody can be asked.
        """
        found = dict(joints)
        for place, joint in enumerate(self._robot.joints):
            expected = found[joint.name].sign
            sign = self._sign(place, found)
            if sign != expected:
                self._operator.tell(f"{joint.name}: counts the other way round than was taken for granted ({expected})")
                found[joint.name] = turned(found[joint.name])
        return found

    def _sign(self, place: int, joints: Mapping[str, JointCalibration]) -> int:
        joint = self._robot.joints[place]
        words = self._words(place, joints)
        self._operator.tell(f"{joint.name} moves now")
        before = self._truth(place)
        with nudged(self._bus, self._clock, joint) as way:
            after = self._truth(place)
        if self._link is not None:
            return way if after > before else -way
        if self._signs is not None:
            return self._signs[place]
        return way if self._operator.saw(joint.name, words) else -way

    def _truth(self, place: int) -> float:
        """Where a virtual joint is [rad]; of a real one nobody knows."""
        return math.nan if self._link is None else true_positions(self._link)[place]

    def _words(self, place: int, joints: Mapping[str, JointCalibration]) -> str:
        """How the joint turns where its angle grows."""
        if self._model is None:
            return f"towards what robot={self._robot.name} calls its upper end"
        pose = np.zeros(len(self._model.names))
        for joint in self._robot.joints:
            ticks = insist.read(self._bus, joint.id, "present_position") % TICKS_PER_TURN
            pose[self._model.names.index(joint.name)] = joints[joint.name].radians(ticks)
        return seen(self._model.axes(pose)[self._model.names.index(self._robot.joints[place].name)])
