"""What the training arm's world is: the model, its state, and the quantities tasks speak of."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from porl_robot.command import FloatArray
from sim.arm_model import ARM_XML, JOINTS

TIMESTEP = 0.005


def substeps(control_hz: float) -> int:
    """Physics steps per control period.

    Raises:
        ValueError: the control period is not a whole number of physics steps.
    """
    ratio = 1.0 / (control_hz * TIMESTEP)
    if abs(ratio - round(ratio)) > 1e-9 or ratio < 1:
        raise ValueError(f"control rate {control_hz} Hz is not a whole multiple of the {TIMESTEP} s physics step")
    return round(ratio)


class ArmPhysics:
    """MuJoCo model and data of the training arm. Positions in the world frame [m], joints [rad], finger [m]."""

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(ARM_XML)
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in JOINTS]
        self._qpos = np.array([j.qposadr[0] for j in joints])
        self._qvel = np.array([j.dofadr[0] for j in joints])
        self._mirror = self.model.joint("finger_mirror").qposadr[0]
        self._cube_qpos = self.model.joint("cube").qposadr[0]
        self._cube_dof = self.model.joint("cube").dofadr[0]
        self._tool = self.model.site("tool").id
        self._goal = self.model.site("goal").id
        self.lower = self.model.jnt_range[[j.id for j in joints], 0].copy()
        self.upper = self.model.jnt_range[[j.id for j in joints], 1].copy()
        self._jacobian = np.zeros((3, self.model.nv))

    def place(self, joints: FloatArray, cube: FloatArray, yaw: float) -> None:
        """Starts anew with the arm at `joints` (6,), at rest, and the cube centred at `cube` (3,) turned by `yaw`."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._qpos] = joints
        self.data.qpos[self._mirror] = joints[-1]
        self.data.ctrl[:] = joints
        address = self._cube_qpos
        self.data.qpos[address : address + 3] = cube
        self.data.qpos[address + 3 : address + 7] = (math.cos(yaw / 2), 0, 0, math.sin(yaw / 2))
        mujoco.mj_forward(self.model, self.data)

    def advance(self, target: FloatArray, steps: int) -> None:
        """Lets `steps` physics steps pass with the servos driven to `target` (6,)."""
        self.data.ctrl[:] = target
        mujoco.mj_step(self.model, self.data, steps)
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)

    def joint_position(self) -> FloatArray:
        """Measured joints. Shape (6,)."""
        position: FloatArray = self.data.qpos[self._qpos]
        return position

    def joint_velocity(self) -> FloatArray:
        """Measured joint velocities. Shape (6,)."""
        velocity: FloatArray = self.data.qvel[self._qvel]
        return velocity

    def joint_effort(self) -> FloatArray:
        """Actuator forces [N m], finger [N]. Shape (6,)."""
        effort: FloatArray = self.data.actuator_force.copy()
        return effort

    def tool(self) -> FloatArray:
        """Position of the tool site between the finger tips. Shape (3,)."""
        position: FloatArray = self.data.site_xpos[self._tool].copy()
        return position

    def tool_jacobian(self) -> FloatArray:
        """Derivative of `tool` by the joints of `JOINTS`. Shape (3, 6)."""
        mujoco.mj_jacSite(self.model, self.data, self._jacobian, None, self._tool)
        return self._jacobian[:, self._qvel]

    def cube(self) -> FloatArray:
        """Cube centre. Shape (3,)."""
        position: FloatArray = self.data.qpos[self._cube_qpos : self._cube_qpos + 3].copy()
        return position

    def cube_quaternion(self) -> FloatArray:
        """Cube orientation (w, x, y, z). Shape (4,)."""
        quaternion: FloatArray = self.data.qpos[self._cube_qpos + 3 : self._cube_qpos + 7].copy()
        return quaternion

    def cube_velocity(self) -> FloatArray:
        """Linear velocity of the cube [m/s]. Shape (3,)."""
        velocity: FloatArray = self.data.qvel[self._cube_dof : self._cube_dof + 3].copy()
        return velocity

    def cube_yaw(self) -> float:
        """Rotation of the cube about z."""
        w, x, y, z = self.cube_quaternion()
        return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))

    def show_goal(self, position: FloatArray) -> None:
        """Moves the goal marker, which has no effect but to be seen."""
        self.model.site_pos[self._goal] = position
