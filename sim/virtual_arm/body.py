"""What the servos move: the arm's MuJoCo model, with its own motors taken out."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import mujoco
import numpy as np

from hardware.description import RobotDescription
from sim.virtual_arm.motor import Motor

REST = "rest"
"""Key frame of a model at which the arm stands without torque; without one it begins amid its ranges."""


class Body:
    """Joints in the order of `names`: angles [rad], velocities [rad/s], torques at the joints [N m].

    Raises:
        ValueError: the model lacks one of the joints, or it is no hinge.
    """

    def __init__(self, model: mujoco.MjModel, names: Sequence[str], motors: Sequence[Motor]) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.timestep = float(model.opt.timestep)
        joints = [_joint(model, name) for name in names]
        self._qpos = np.array([model.jnt_qposadr[joint] for joint in joints])
        self._dof = np.array([model.jnt_dofadr[joint] for joint in joints])
        self.lower = model.jnt_range[joints, 0].copy()
        self.upper = model.jnt_range[joints, 1].copy()
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ACTUATION
        # Dry friction alone holds an arm without torque: without these iterations it creeps.
        model.opt.noslip_iterations = max(model.opt.noslip_iterations, 5)
        model.dof_armature[self._dof] = [motor.armature for motor in motors]
        model.dof_frictionloss[self._dof] = [motor.friction for motor in motors]
        model.dof_damping[self._dof] = [motor.viscous for motor in motors]
        mujoco.mj_setConst(model, self.data)
        self._place_at_rest()

    def position(self) -> list[float]:
        """Joint angles."""
        angles: list[float] = self.data.qpos[self._qpos].tolist()
        return angles

    def velocity(self) -> list[float]:
        """Joint velocities."""
        velocities: list[float] = self.data.qvel[self._dof].tolist()
        return velocities

    def brake(self, joint: int, damping: float) -> None:
        """Sets the damping of one joint [N m s/rad], which a driven motor raises."""
        self.model.dof_damping[self._dof[joint]] = damping

    def advance(self, torques: Sequence[float]) -> None:
        """Lets one timestep pass under `torques` on top of gravity, friction and contact."""
        self.data.qfrc_applied[self._dof] = torques
        mujoco.mj_step(self.model, self.data)

    def _place_at_rest(self) -> None:
        key = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_KEY, REST)
        if key >= 0:
            mujoco.mj_resetDataKeyframe(self.model, self.data, key)
        else:
            self.data.qpos[self._qpos] = (self.lower + self.upper) / 2
        mujoco.mj_forward(self.model, self.data)


def body_of(robot: RobotDescription, motors: Sequence[Motor]) -> Body:
    """The body of `robot`, its model's or, where it has none, a bench of loose joints.

    Raises:
        ValueError: the model cannot be read or does not fit the joints.
    """
    try:
        if robot.model is None:
            model = mujoco.MjModel.from_xml_string(_bench(robot))
        else:
            model = mujoco.MjModel.from_xml_path(str(robot.model))
    except ValueError as error:
        raise ValueError(f"robot.model: {str(error).splitlines()[0]}") from error
    return Body(model, robot.names, motors)


def _bench(robot: RobotDescription) -> str:
    """Servos side by side, each turning a light horn: what is known of an arm without a model is its ranges."""
    horns = [
        f'<body pos="0 {0.1 * i} 0">'
        f'<joint name={quoteattr(joint.name)} axis="1 0 0" range="{joint.lower} {joint.upper}"/>'
        f'<geom type="sphere" size=".01" mass=".02" contype="0" conaffinity="0"/></body>'
        for i, joint in enumerate(robot.joints)
    ]
    return (
        '<mujoco><compiler angle="radian" autolimits="true"/><option timestep=".002" integrator="implicitfast"/>'
        f"<worldbody>{''.join(horns)}</worldbody></mujoco>"
    )


def _joint(model: mujoco.MjModel, name: str) -> int:
    joint = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name)
    if joint < 0:
        raise ValueError(f"robot.model has no joint {name}, which robot.joints names")
    if model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE:
        raise ValueError(f"robot.model: joint {name} is no hinge")
    if not model.jnt_limited[joint]:
        raise ValueError(f"robot.model: joint {name} has no range")
    return int(joint)
