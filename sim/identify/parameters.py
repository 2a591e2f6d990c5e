"""The five numbers that a joint is identified by."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from porl_robot.command import FloatArray

NAMES = ("delay", "kp", "damping", "frictionloss", "backlash")
"""Columns of every array of parameters, in this order.

delay: from a goal's sending to its effect [s]. kp: position gain [N m/rad]. damping: all torque against the speed, the
joint's damping and the actuator's kv together, which no motion tells apart [N m s/rad]. frictionloss: dry [N m].
backlash: whole width of the play between goal and joint [rad].
"""

UNITS = ("s", "N m/rad", "N m s/rad", "N m", "rad")


@dataclass(frozen=True, slots=True)
class Servo:
    """Where a joint's parameters stand in the compiled model."""

    joint: int
    dof: int
    qpos: int
    actuator: int


def servos(model: mujoco.MjModel, names: tuple[str, ...]) -> tuple[Servo, ...]:
    """Of each joint in `names`.

    Raises:
        ValueError: the model lacks one of the joints, or its actuator is no position servo named like the joint.
    """
    return tuple(_servo(model, name) for name in names)


def _servo(model: mujoco.MjModel, name: str) -> Servo:
    joint = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name)
    actuator = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name)
    if joint < 0 or model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE:
        raise ValueError(f"has no hinge '{name}', which robot.joints names")
    if actuator < 0 or model.actuator_trnid[actuator, 0] != joint or not _is_position(model, actuator):
        raise ValueError(f"has no position actuator '{name}' on the joint of that name")
    return Servo(joint, int(model.jnt_dofadr[joint]), int(model.jnt_qposadr[joint]), actuator)


def _is_position(model: mujoco.MjModel, actuator: int) -> bool:
    gain = model.actuator_gainprm[actuator, 0]
    return bool(
        model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_AFFINE
        and model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT
        and gain > 0.0
        and model.actuator_biasprm[actuator, 1] == -gain
    )


def read(model: mujoco.MjModel, of: tuple[Servo, ...], delay: FloatArray, backlash: FloatArray) -> FloatArray:
    """The parameters as the model has them, shape (n, 5)."""
    actuators, dofs = [each.actuator for each in of], [each.dof for each in of]
    gains, damping = (
        model.actuator_gainprm[actuators, 0],
        model.dof_damping[dofs] - model.actuator_biasprm[actuators, 2],
    )
    return np.stack([delay, gains, damping, model.dof_frictionloss[dofs], backlash], axis=1)


def split(model: mujoco.MjModel, servo: Servo, damping: float) -> tuple[float, float]:
    """The joint's damping and the actuator's kv that make `damping`, in the proportion they have in `model`."""
    own, kv = float(model.dof_damping[servo.dof]), -float(model.actuator_biasprm[servo.actuator, 2])
    share = own / (own + kv) if own + kv > 0.0 else 1.0
    return share * damping, (1.0 - share) * damping


def write(model: mujoco.MjModel, of: tuple[Servo, ...], parameters: FloatArray) -> None:
    """Puts `kp`, `damping` and `frictionloss` of `parameters` (n, 5) into the model."""
    for servo, (_, kp, damping, frictionloss, _) in zip(of, parameters, strict=True):
        own, kv = split(model, servo, damping)
        model.actuator_gainprm[servo.actuator, 0] = kp
        model.actuator_biasprm[servo.actuator, 1:3] = -kp, -kv
        model.dof_damping[servo.dof] = own
        model.dof_frictionloss[servo.dof] = frictionloss
