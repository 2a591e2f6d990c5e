"""The reach task of an arm on a bus: bring the tool to a random point above the table.

A function of what a bus can tell, measured joints and commanded targets, and of the goal: the twin and the real arm
share it. Joints are in the arm's order, [rad], [rad/s]; the tool and the goal in the model's world frame [m].

The first four joints move; wrist roll and gripper keep the pose of the episode's start, since they do not move the tool
by more than the threshold, and a servo that is not asked to move does not wear.
"""

from __future__ import annotations

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics

MOVED = 4
"""Joints that an action moves, counted from the base."""

OBSERVATION_SIZE = 3 * MOVED + 6
CONTROL_HZ = 20.0
HORIZON = 50
THRESHOLD = 0.02
"""How near the tool must come to the goal [m]. A tick of the encoder is 0.7 mm at full reach; an arm that is merely
sent to a goal sags by 9 to 18 mm."""

INCREMENT = 0.05
"""What an action of 1 adds to the commanded target in one control period [rad]."""

LEAD = 0.2
"""How far the commanded target may run ahead of the measured joint [rad]: more than sag and lag need, and no more
torque than the servos' stall at the shipped gains."""

RANGE_MARGIN = 0.05
"""Kept from the ends of a joint's range [rad]."""

_GOAL_MARGIN = np.array([0.3, 0.2, 0.2, 0.2])  # of a goal's pose from the target's ends: room to make up for sag [rad]
_START_SPREAD = np.array([0.4, 0.15, 0.15, 0.15])


class Reach:
    """The task for one arm.

    Args:
        arm: its kinematics.
        lower, upper: ranges of the joints as calibrated, or as the model says. Shape (n,).

    Attributes:
        lower, upper: where the commanded target may be: the model's workspace, in which nothing touches, less what lies
            beyond the ranges or near their ends. Shape (n,).
        centre: middle of these, around which episodes begin. Shape (n,).

    Raises:
        UserError: the model has no workspace, or the ranges leave too little of it; names the joint.
    """

    def __init__(self, arm: ArmKinematics, lower: FloatArray, upper: FloatArray) -> None:
        if arm.workspace is None or len(arm.names) < MOVED:
            raise UserError(
                f"the reach task needs a model with at least {MOVED} joints and the numerics workspace_lower and "
                f"workspace_upper; this one has {len(arm.names)} joints and {'no' if arm.workspace is None else 'a'} "
                "workspace"
            )
        self._arm = arm
        self.lower = np.maximum(arm.workspace[0], lower + RANGE_MARGIN)
        self.upper = np.minimum(arm.workspace[1], upper - RANGE_MARGIN)
        self.centre = (arm.workspace[0] + arm.workspace[1]) / 2
        needed = np.zeros(len(arm.names))
        needed[:MOVED] = np.maximum(_START_SPREAD, _GOAL_MARGIN)
        for name, low, high, centre, room in zip(arm.names, self.lower, self.upper, self.centre, needed, strict=True):
            if centre - low < room or high - centre < room:
                raise UserError(
                    f"the reach task needs joint {name} to go from {centre - room:.2f} to {centre + room:.2f} rad, its "
                    f"range allows {low:.2f} to {high:.2f}: calibrate the arm again, or its range is too narrow"
                )

    def start(self, rng: np.random.Generator) -> FloatArray:
        """A pose to begin an episode in. Shape (n,)."""
        pose = self.centre.copy()
        pose[:MOVED] += rng.uniform(-_START_SPREAD, _START_SPREAD)
        return pose

    def goal(self, rng: np.random.Generator) -> FloatArray:
        """Where the tool is in a random pose of the workspace: a point within reach by construction. Shape (3,)."""
        pose = self.centre.copy()
        pose[:MOVED] = rng.uniform(self.lower[:MOVED] + _GOAL_MARGIN, self.upper[:MOVED] - _GOAL_MARGIN)
        return self._arm.tool_position(pose)

    def observe(
        self, position: FloatArray, velocity: FloatArray, commanded: FloatArray, goal: FloatArray
    ) -> FloatArray:
        """What the policy sees. Shape (18,).

        Of the moved joints: position from the centre (4), velocity x 0.2 (4), commanded less measured position x 5 (4),
        since a servo sags and neither of the two alone says where it will go. Then tool x 5 (3), tool to goal x 10 (3).
        """
        tool = self._arm.tool_position(position)
        return np.concatenate(
            [
                (position - self.centre)[:MOVED],
                0.2 * velocity[:MOVED],
                5.0 * (commanded - position)[:MOVED],
                5.0 * tool,
                10.0 * (goal - tool),
            ]
        )

    def success(self, position: FloatArray, goal: FloatArray) -> bool:
        """Whether the tool, by the measured joints (n,), is at the goal (3,), at any speed."""
        return bool(np.linalg.norm(self._arm.tool_position(position) - goal) < THRESHOLD)

    def target(self, action: FloatArray, position: FloatArray, commanded: FloatArray) -> FloatArray:
        """The commanded target that a finite `action` (4,) asks for, from the last one. Shape (n,)."""
        values = commanded.copy()
        values[:MOVED] += INCREMENT * np.clip(action, -1.0, 1.0)
        led = position + np.clip(values - position, -LEAD, LEAD)
        return np.clip(led, self.lower, self.upper)

    def action(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """The action (4,) in [-1, 1] that moves the commanded target from `before` (n,) to `after` (n,)."""
        return np.clip((after - before)[:MOVED] / INCREMENT, -1.0, 1.0)
