"""Scripted demonstrator for robosuite's Door."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from sim.robosuite_scene import Vector, yaw_of
from sim.robosuite_script import OPEN, Aim, ScriptedDemonstrator, wrap
from sim.robosuite_tasks import door_handle, door_latch

LEAN = 0.8  # of the fingers towards the door; upright, the palm would hit it before they are round the handle [rad]
STAND_OFF = 0.10  # from where the hand comes down on the handle [m]
NEAR_STAND_OFF = 0.02  # [m]
AT_HANDLE = 0.01  # [m]
FREE = 1.1  # angle of the handle at which the latch has left the frame [rad]
AHEAD = 0.4  # how far the hand is ahead of the handle that it turns: what the latch's spring asks for [rad]
PULL = 0.06  # how far the hand is ahead of the door that it pulls [m]


class DoorDemonstrator(ScriptedDemonstrator):
    """Puts its open fingers round the handle's bar, presses it down until the latch is free, and pulls.

    The fingers never close: the hand presses the bar down and holds it there by being in its way, the finger behind it
    pulls.
    """

    def _script(self) -> Sequence[Callable[[], Aim]]:
        return self._approach, self._descend, self._press, self._pull

    def _handle(self) -> Vector:
        return door_handle(self._scene) + self._offset

    def _approach(self) -> Aim:
        target = self._handle() + STAND_OFF * self._backwards()
        return self._aim(target, self._off(target) < NEAR_STAND_OFF)

    def _descend(self) -> Aim:
        return self._aim(self._handle(), self._off(self._handle()) < AT_HANDLE)

    def _press(self) -> Aim:
        return self._aim(self._handle_turned(AHEAD), self._scene.joint("Door_latch_joint")[0] > FREE)

    def _pull(self) -> Aim:
        return self._aim(self._handle() + PULL * self._outwards(), False)

    def _aim(self, target: Vector, reached: bool) -> Aim:
        return Aim(target, OPEN, reached, self._square(), lean=LEAN)

    def _square(self) -> float:
        """Yaw that the hand lacks to face the door [rad]."""
        door = yaw_of(self._scene.body_quaternion("Door_door"))
        return wrap(door - yaw_of(self._scene.eef_quaternion()), np.pi)

    def _outwards(self) -> Vector:
        """From the door towards the arm, in the world frame, shape (3,)."""
        return Rotation.from_quat(self._scene.body_quaternion("Door_door")).apply([0.0, -1.0, 0.0])

    def _backwards(self) -> Vector:
        """From the finger tips towards the wrist of a hand that leans, in the world frame, shape (3,)."""
        return np.sin(LEAN) * self._outwards() + np.array([0.0, 0.0, np.cos(LEAN)])

    def _handle_turned(self, angle: float) -> Vector:
        """Where the handle would be if it were pressed down by `angle` [rad] more, shape (3,) [m]."""
        axis = door_latch(self._scene)
        turn = Rotation.from_rotvec(-angle * self._outwards())
        return axis + turn.apply(self._handle() - axis)
