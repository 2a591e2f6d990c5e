"""The robosuite tasks: which controller they need, how long they last, what the policy sees.

An observation holds what the next step depends on, scaled to about one; objects rest or move with the hand, so their
velocities are left out. Lift's is the one that its learning figures were measured on; the others add the finger
command, which the fingers follow with a delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.robosuite_scene import Scene, Vector, yaw_of

WORKSPACE_CENTRE = np.array([0.0, 0.0, 1.0])
RESTING_CUBE = 0.82  # height of its centre [m]
FINE = 0.01  # distance at which fine numbers leave their linear range [m]


def cube_position(scene: Scene) -> Vector:
    """Centre of Lift's cube, shape (3,) [m]."""
    return scene.body_position("cube_main")


def can_position(scene: Scene) -> Vector:
    """Centre of the can, shape (3,) [m]."""
    return scene.body_position("Can_main")


def can_goal(scene: Scene) -> Vector:
    """Middle of the can's compartment of the second bin, on its floor, shape (3,) [m]."""
    return np.array(scene.suite.target_bin_placements[scene.suite.object_id])


def nut_position(scene: Scene) -> Vector:
    """Centre of the square nut's hole, shape (3,) [m]."""
    return scene.body_position("SquareNut_main")


def nut_handle(scene: Scene) -> Vector:
    """Where the nut is to be gripped, shape (3,) [m]."""
    return scene.site_position("SquareNut_handle_site")


def peg_position(scene: Scene) -> Vector:
    """Centre of the square peg, shape (3,) [m]."""
    return scene.body_position("peg1")


def door_handle(scene: Scene) -> Vector:
    """Where the handle is to be gripped, shape (3,) [m]."""
    return scene.site_position("Door_handle")


def door_latch(scene: Scene) -> Vector:
    """Where the handle's axis meets the door, shape (3,) [m]."""
    return scene.body_position("Door_latch")


def _hand(scene: Scene) -> list[Vector]:
    position = 5 * (scene.eef_position() - WORKSPACE_CENTRE)
    return [position, scene.eef_quaternion(), 25 * scene.fingers()]


def _arm(scene: Scene) -> list[Vector]:
    return [*_hand(scene), scene.finger_command(), 0.3 * scene.joint_velocity()]


def _finely(lacking: Vector, scale: float) -> tuple[Vector, Vector]:
    return scale * lacking, np.tanh(lacking / FINE)


def _direction(yaw: float, symmetry: int) -> Vector:
    return np.array([np.sin(symmetry * yaw), np.cos(symmetry * yaw)])


def observe_lift(scene: Scene) -> list[Vector]:
    """24 numbers: hand 9, joint velocities 7, hand to cube 3, the cube's height 1 and quaternion 4."""
    cube = cube_position(scene)
    return [
        *_hand(scene),
        0.3 * scene.joint_velocity(),
        10 * (cube - scene.eef_position()),
        20 * (cube[2:] - RESTING_CUBE),
        scene.body_quaternion("cube_main"),
    ]


def observe_can(scene: Scene) -> list[Vector]:
    """27 numbers: arm 17, hand to can 3, can to goal 3, the can's quaternion 4."""
    can = can_position(scene)
    return [
        *_arm(scene),
        10 * (can - scene.eef_position()),
        3 * (can_goal(scene) - can),
        scene.body_quaternion("Can_main"),
    ]


def observe_square(scene: Scene) -> list[Vector]:
    """37 numbers: arm 17, hand to the nut's handle 6, nut to peg 6, the nut's quaternion 4, its yaw 4.

    What is near comes twice, once finer: without that a clone comes to rest at the handle with open fingers. The
    yaw comes from the hand, where a half turn makes no difference, and from the peg, where a quarter makes none: a
    clone of 217 episodes succeeds .20 without these four numbers and .98 with them.
    """
    nut = scene.body_quaternion("SquareNut_main")
    return [
        *_arm(scene),
        *_finely(nut_handle(scene) - scene.eef_position(), 10),
        *_finely(peg_position(scene) - nut_position(scene), 5),
        nut,
        _direction(yaw_of(nut) - yaw_of(scene.eef_quaternion()), symmetry=2),
        _direction(yaw_of(nut), symmetry=4),
    ]


def observe_door(scene: Scene) -> list[Vector]:
    """28 numbers: arm 17, hand to handle 3, the door's quaternion 4, hinge and handle angle and velocity 4."""
    hinge, latch = scene.joint("Door_hinge"), scene.joint("Door_latch_joint")
    return [
        *_arm(scene),
        10 * (door_handle(scene) - scene.eef_position()),
        scene.body_quaternion("Door_door"),
        hinge * [5.0, 1.0],
        latch * [1.0, 0.3],
    ]


@dataclass(frozen=True)
class RobosuiteTask:
    """One task.

    Attributes:
        name: as in `env=NAME`.
        rotates: whether the policy turns the hand (6 arm actions, OSC_POSE) or only moves it (3, OSC_POSITION).
        horizon: control steps after which an episode is truncated.
        observe: the parts of the observation.
    """

    name: str
    rotates: bool
    horizon: int
    observe: Callable[[Scene], list[Vector]]

    def observation(self, scene: Scene) -> npt.NDArray[np.float32]:
        """Shape (D,)."""
        return np.concatenate(self.observe(scene)).astype(np.float32)


# A cube and a can are gripped from above whatever their yaw, so three dimensions do and learn faster. The nut lies at
# any yaw and must be turned onto a square peg; the door's handle turns about its own axis before the door opens.
TASKS = {
    "Lift": RobosuiteTask("robosuite_lift", False, 60, observe_lift),
    "PickPlaceCan": RobosuiteTask("robosuite_can", False, 200, observe_can),
    "NutAssemblySquare": RobosuiteTask("robosuite_square", True, 200, observe_square),
    "Door": RobosuiteTask("robosuite_door", True, 200, observe_door),
}
