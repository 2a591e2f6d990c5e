"""How far the joints of an arm go, as its YAML says or else its model."""

from __future__ import annotations

from collections.abc import Mapping

from hardware.description import RobotDescription
from porl_robot.kinematics import ArmKinematics

Ranges = Mapping[str, tuple[float, float]]
"""Lower and upper end of each joint [rad], by name."""


def joint_ranges(robot: RobotDescription) -> Ranges:
    """The range of every joint of `robot`.

    Raises:
        UserError: the model cannot be read.
    """
    found: dict[str, tuple[float, float]] = {}
    if robot.model is not None:
        model = ArmKinematics(robot.model)
        found |= dict(zip(model.names, zip(model.lower.tolist(), model.upper.tolist(), strict=True), strict=True))
    own = {
        joint.name: (joint.lower, joint.upper)
        for joint in robot.joints
        if joint.lower is not None and joint.upper is not None
    }
    return {**found, **own}
