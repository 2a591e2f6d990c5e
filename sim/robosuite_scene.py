"""What can be read from a running robosuite simulation, in the words of the tasks.

Positions are in metres in the world frame, quaternions are (x, y, z, w), angles in radians.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

Vector = npt.NDArray[np.float64]


class Scene:
    """Read access to one robosuite env with one Panda. Every array returned is a copy."""

    def __init__(self, suite: Any) -> None:
        self.suite = suite
        self._robot = suite.robots[0]
        self._arm = np.asarray(self._robot._ref_joint_pos_indexes)
        self._arm_velocity = np.asarray(self._robot._ref_joint_vel_indexes)
        self._fingers = np.asarray(self._robot._ref_gripper_joint_pos_indexes["right"])
        self._grip_site = self._robot.eef_site_id["right"]
        self._hand = self._robot.robot_model.eef_name["right"]

    @property
    def _data(self) -> Any:
        return self.suite.sim.data

    def joint_position(self) -> Vector:
        """Arm joints, shape (7,) [rad]."""
        return np.array(self._data.qpos[self._arm])

    def joint_velocity(self) -> Vector:
        """Arm joints, shape (7,) [rad/s]."""
        return np.array(self._data.qvel[self._arm_velocity])

    def eef_position(self) -> Vector:
        """The point between the finger pads, shape (3,)."""
        return np.array(self._data.site_xpos[self._grip_site])

    def eef_quaternion(self) -> Vector:
        """The hand, shape (4,)."""
        return self.body_quaternion(self._hand)

    def fingers(self) -> Vector:
        """The two finger slides, shape (2,) [m]."""
        return np.array(self._data.qpos[self._fingers])

    def finger_command(self) -> Vector:
        """Commanded closing, shape (1,): -1 open, 1 closed. It follows the action over several steps."""
        # One number after a reset, one per finger after a step: the last closes where it is positive.
        return np.array(self._robot.gripper["right"].current_action[-1:])

    def body_position(self, body: str) -> Vector:
        """Shape (3,)."""
        return np.array(self._data.get_body_xpos(body))

    def body_quaternion(self, body: str) -> Vector:
        """Shape (4,)."""
        return np.roll(self._data.get_body_xquat(body), -1)

    def site_position(self, site: str) -> Vector:
        """Shape (3,)."""
        return np.array(self._data.get_site_xpos(site))

    def joint(self, joint: str) -> Vector:
        """Angle [rad] and velocity [rad/s] of a hinge, shape (2,)."""
        return np.array([self._data.get_joint_qpos(joint), self._data.get_joint_qvel(joint)])

    def succeeded(self) -> bool:
        """Whether robosuite's own success test holds now."""
        return bool(self.suite._check_success())


def yaw_of(quaternion: Vector) -> float:
    """Direction of a body's x axis in the horizontal plane [rad]. `quaternion`: (x, y, z, w)."""
    axis = Rotation.from_quat(quaternion).apply([1.0, 0.0, 0.0])
    return float(np.arctan2(axis[1], axis[0]))
