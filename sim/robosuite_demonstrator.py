"""Scripted demonstrators for robosuite's Lift, PickPlaceCan and NutAssemblySquare."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sim.robosuite_scene import Vector, yaw_of
from sim.robosuite_script import CLOSE, OPEN, Aim, ScriptedDemonstrator, wrap
from sim.robosuite_tasks import (
    can_goal,
    can_position,
    cube_position,
    nut_handle,
    nut_position,
    peg_position,
)

NEAR = 0.012  # [m]
ALIGNED = 0.05  # [rad]
AT_HANDLE = 0.005  # where the hand comes almost to rest before it closes: a clone learns the place, not the speed [m]
CARRY_HEIGHT = 1.02  # of the hand; a can in it passes above the rims of the bins [m]
NUT_HEIGHT = 1.05  # of the hand; a nut in it passes above the peg [m]
FUNNEL = 5.0  # height above the handle per distance to its side, beyond 4 mm
ON_PEG = 0.86  # height of a nut that cannot leave the peg any more [m]


class LiftDemonstrator(ScriptedDemonstrator):
    """Hovers 8 cm above the cube, descends, closes, raises."""

    def _script(self) -> Sequence[Callable[[], Aim]]:
        return self._hover, self._descend, self._close, self._raise

    def _cube(self) -> Vector:
        return cube_position(self._scene) + self._offset

    def _hover(self) -> Aim:
        target = _above(self._cube(), 0.08)
        return Aim(target, OPEN, self._off_sideways(target) < NEAR)

    def _descend(self) -> Aim:
        return Aim(self._cube(), OPEN, self._off(self._cube()) < NEAR)

    def _close(self) -> Aim:
        return Aim(self._scene.eef_position(), CLOSE, self._phase_steps >= 5)

    def _raise(self) -> Aim:
        return Aim(_above(self._grip, 0.10), CLOSE, False, lost=self._lost(cube_position(self._scene)))


class CanDemonstrator(ScriptedDemonstrator):
    """Grips the can, carries it over the rims of the bins, lowers it into its compartment, lets go and backs off."""

    def _script(self) -> Sequence[Callable[[], Aim]]:
        return (
            self._hover,
            self._descend,
            self._close,
            self._raise,
            self._carry,
            self._lower,
            self._release,
        )

    def _can(self) -> Vector:
        return can_position(self._scene) + self._offset

    def _goal(self) -> Vector:
        return can_goal(self._scene) + self._offset

    def _hover(self) -> Aim:
        target = _above(self._can(), 0.10)
        return Aim(target, OPEN, self._off_sideways(target) < NEAR)

    def _descend(self) -> Aim:
        return Aim(self._can(), OPEN, self._off(self._can()) < NEAR)

    def _close(self) -> Aim:
        return Aim(self._scene.eef_position(), CLOSE, self._phase_steps >= 6)

    def _raise(self) -> Aim:
        target = _at_height(self._grip, CARRY_HEIGHT)
        return Aim(target, CLOSE, self._below(target) < NEAR, lost=self._lost(can_position(self._scene)))

    def _carry(self) -> Aim:
        target = _at_height(self._goal(), CARRY_HEIGHT)
        reached = self._off_sideways(target) < 0.03
        return Aim(target, CLOSE, reached, lost=self._lost(can_position(self._scene)))

    def _lower(self) -> Aim:
        target = _above(self._goal(), 0.12)
        return Aim(target, CLOSE, self._off(target) < 0.03)

    def _release(self) -> Aim:
        return Aim(_above(self._goal(), 0.25), OPEN, False)


class SquareDemonstrator(ScriptedDemonstrator):
    """Turns the hand across the nut's handle, grips it, carries the nut over the peg, squares it and lowers it."""

    def _script(self) -> Sequence[Callable[[], Aim]]:
        return (
            self._hover,
            self._descend,
            self._close,
            self._raise,
            self._carry,
            self._lower,
            self._release,
        )

    def _handle(self) -> Vector:
        return nut_handle(self._scene) + self._offset

    def _over_peg(self) -> Vector:
        """Where the hand brings the nut it holds over the peg, shape (3,) [m]."""
        lacking = peg_position(self._scene) - nut_position(self._scene)
        return _at_height(self._scene.eef_position() + lacking + self._offset, NUT_HEIGHT)

    def _hover(self) -> Aim:
        target, turn = _above(self._handle(), 0.08), self._across()
        reached = self._off_sideways(target) < NEAR and abs(turn) < ALIGNED
        return Aim(target, OPEN, reached, turn)

    def _descend(self) -> Aim:
        # Fingers that come down askew push the nut away: stay above the nut as long as the hand is off to the side.
        funnel = FUNNEL * max(0.0, self._off_sideways(self._handle()) - 0.004)
        target = _above(self._handle(), min(funnel, 0.08))
        return Aim(target, OPEN, self._off(self._handle()) < AT_HANDLE, self._across())

    def _close(self) -> Aim:
        return Aim(self._handle(), CLOSE, self._phase_steps >= 10, self._across())

    def _raise(self) -> Aim:
        target = _at_height(self._grip, NUT_HEIGHT)
        lost = self._lost(nut_handle(self._scene))
        return Aim(target, CLOSE, self._below(target) < NEAR, self._square(), lost)

    def _carry(self) -> Aim:
        target, turn = self._over_peg(), self._square()
        reached = self._off_sideways(target) < 0.004 and abs(turn) < ALIGNED
        return Aim(target, CLOSE, reached, turn, self._lost(nut_handle(self._scene)))

    def _lower(self) -> Aim:
        target = _at_height(self._over_peg(), self._scene.eef_position()[2] - 0.03)
        return Aim(target, CLOSE, nut_position(self._scene)[2] < ON_PEG, self._square())

    def _release(self) -> Aim:
        return Aim(_above(self._scene.eef_position(), 0.05), OPEN, False)

    def _across(self) -> float:
        """Yaw that the hand lacks to lie across the handle [rad]; the gripper is symmetric by a half turn."""
        nut = yaw_of(self._scene.body_quaternion("SquareNut_main"))
        return wrap(nut - yaw_of(self._scene.eef_quaternion()), np.pi)

    def _square(self) -> float:
        """Yaw that the nut lacks to be square with the peg [rad], to the nearest side but the far one, which would
        take the handle out of the arm's reach.
        """
        nut = yaw_of(self._scene.body_quaternion("SquareNut_main"))
        away = np.copysign(np.pi / 2, nut) if abs(nut) < np.pi / 4 else 0.0
        return wrap(-nut, np.pi / 2) + float(away)


def _above(point: Vector, height: float) -> Vector:
    return point + np.array([0.0, 0.0, height])


def _at_height(point: Vector, height: float) -> Vector:
    return np.append(point[:2], height)
