"""Where an arm's tool is, how it moves with the joints, what gravity asks of the motors, how far bodies are apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import mujoco
import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.errors import UserError

_TOOL, _REST = "tool", "rest"
_FAR = 1.0  # clearances beyond this are not told apart [m]


class ArmKinematics:
    """Geometry and statics of the arm in an MJCF file. World frame of the model [m], joints [rad], torques [N m].

    The model has a position actuator per joint, named like the joint, a site `tool` and a keyframe `rest`. Joints
    have the actuators' order. Not to be shared between threads: every call writes one scratch state.

    Attributes:
        names: of the n joints.
        lower, upper: their ranges. Shape (n,), read-only.
        rest: a pose in which nothing touches and every joint may move both ways. Shape (n,), read-only.
        workspace: lower and upper end of a box of poses, each of shape (n,), in which nothing touches, the table
            included: the numerics `workspace_lower` and `workspace_upper` of the model; None where it has none.

    Raises:
        UserError: the file cannot be read, or lacks something of the above.
    """

    def __init__(self, model: Path) -> None:
        try:
            self._model = mujoco.MjModel.from_xml_path(str(model))
        except ValueError as error:
            raise UserError(f"{model}: no model that MuJoCo can read ({str(error).splitlines()[0]})") from error
        self._data = mujoco.MjData(self._model)
        self.names = tuple(self._model.actuator(i).name for i in range(self._model.nu))
        self._joints = [self._named(mujoco.mjtObj.mjOBJ_JOINT, name, model) for name in self.names]
        self._tool = self._named(mujoco.mjtObj.mjOBJ_SITE, _TOOL, model)
        rest = self._named(mujoco.mjtObj.mjOBJ_KEY, _REST, model)
        self._qpos, self._dof = self._model.jnt_qposadr[self._joints], self._model.jnt_dofadr[self._joints]
        self.lower, self.upper = (_frozen(self._model.jnt_range[self._joints, end]) for end in (0, 1))
        self.rest = _frozen(self._model.key_qpos[rest, self._qpos])
        self.workspace = self._workspace()
        self._pairs = self._colliding_pairs()
        self._jacobian = np.zeros((6, self._model.nv))
        self._torque = np.zeros(self._model.nv)

    @property
    def middle(self) -> FloatArray:
        """Middle of every range. Shape (n,)."""
        middle: FloatArray = (self.lower + self.upper) / 2
        return middle

    def tool_position(self, joints: FloatArray) -> FloatArray:
        """Position of the tool at the pose `joints` (n,). Shape (3,)."""
        self._pose(joints)
        position: FloatArray = self._data.site_xpos[self._tool].copy()
        return position

    def tool_rotation(self, joints: FloatArray) -> FloatArray:
        """Rotation matrix of the tool's frame at `joints` (n,); its columns are the frame's axes. Shape (3, 3)."""
        self._pose(joints)
        rotation: FloatArray = self._data.site_xmat[self._tool].reshape(3, 3).copy()
        return rotation

    def axes(self, joints: FloatArray) -> FloatArray:
        """Axes about which the joints turn as their angles grow, right-handed, at `joints` (n,). Shape (n, 3)."""
        self._pose(joints)
        axes: FloatArray = self._data.xaxis[self._joints].copy()
        return axes

    def tool_jacobian(self, joints: FloatArray) -> FloatArray:
        """Tool velocity per joint velocity at `joints` (n,): three rows linear [m], three angular. Shape (6, n)."""
        self._pose(joints)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._tool)
        jacobian: FloatArray = self._jacobian[:, self._dof]
        return jacobian

    def gravity_torque(self, joints: FloatArray) -> FloatArray:
        """What the motors must exert to hold `joints` (n,) against gravity. Shape (n,)."""
        self._pose(joints)
        mujoco.mj_comPos(self._model, self._data)
        self._data.qvel[:] = 0.0
        mujoco.mj_comVel(self._model, self._data)
        mujoco.mj_rne(self._model, self._data, 0, self._torque)
        torque: FloatArray = self._torque[self._dof]
        return torque

    def clearance(self, joints: FloatArray) -> float:
        """Smallest distance between two shapes that could collide, the table's included, at `joints` (n,) [m].

        Negative where they overlap; at most 1.
        """
        self._pose(joints)
        model, data = self._model, self._data
        return min((mujoco.mj_geomDistance(model, data, a, b, _FAR, None) for a, b in self._pairs), default=_FAR)

    def _pose(self, joints: FloatArray) -> None:
        self._data.qpos[self._qpos] = joints
        mujoco.mj_kinematics(self._model, self._data)

    def _named(self, kind: mujoco.mjtObj, name: str, model: Path) -> int:
        found: int = mujoco.mj_name2id(self._model, kind, name)
        if found < 0:
            what = {mujoco.mjtObj.mjOBJ_JOINT: "joint", mujoco.mjtObj.mjOBJ_SITE: "site"}.get(kind, "keyframe")
            raise UserError(f"{model}: has no {what} '{name}', which a model of an arm needs")
        return found

    def _workspace(self) -> tuple[FloatArray, FloatArray] | None:
        ends = []
        for name in ("workspace_lower", "workspace_upper"):
            found = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_NUMERIC, name)
            if found < 0:
                return None
            ends.append(_frozen(self._model.numeric(found).data))
        return ends[0], ends[1]

    def _colliding_pairs(self) -> list[tuple[int, int]]:
        """Shapes that MuJoCo would let collide: neither on one link nor on neighbouring ones, nor excluded."""
        model = self._model
        excluded = set(model.exclude_signature.tolist())
        pairs = []
        for a, b in combinations(range(model.ngeom), 2):
            masks = (
                model.geom_contype[a] & model.geom_conaffinity[b] | model.geom_contype[b] & model.geom_conaffinity[a]
            )
            bodies = sorted((model.geom_bodyid[a], model.geom_bodyid[b]))
            links = [model.body_weldid[body] for body in bodies]
            parents = [model.body_weldid[model.body_parentid[link]] for link in links]
            neighbours = 0 not in links and (links[0] == parents[1] or links[1] == parents[0])
            if masks and links[0] != links[1] and not neighbours and (bodies[0] << 16) + bodies[1] not in excluded:
                pairs.append((a, b))
        return pairs


def damped_step(jacobian: FloatArray, error: FloatArray, damping: float) -> FloatArray:
    """The joint step s (n,) that makes |J s - e|^2 + damping |s|^2 smallest: J^T (J J^T + damping I)^-1 e.

    Args:
        jacobian: J, shape (m, n).
        error: e, shape (m,).
        damping: above 0; the larger, the shorter the steps near singular poses.
    """
    step: FloatArray = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping * np.eye(len(error)), error)
    return step


def _frozen(values: npt.NDArray[np.float64]) -> FloatArray:
    copy = values.copy()
    copy.setflags(write=False)
    return copy
