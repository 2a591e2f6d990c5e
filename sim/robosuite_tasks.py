"""The robosuite tasks: which controller they need, how long they last, what the policy sees.

An observation holds everything the next step depends on, scaled to about one. Lift's is the one that its learning
figures were measured on; the others add the finger command, which the fingers follow with a delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.robosuite_scene import Scene, Vector

TABLE_CENTRE = np.array([0.0, 0.0, 1.0])
LIFT_TABLE = 0.82  # height of a resting cube's centre [m]


def _hand(scene: Scene) -> list[Vector]:
    return [5 * (scene.eef_position() - TABLE_CENTRE), scene.eef_quaternion(), 25 * scene.fingers()]


def _arm(scene: Scene) -> list[Vector]:
    return [*_hand(scene), scene.finger_command(), 0.3 * scene.joint_velocity()]


def cube_position(scene: Scene) -> Vector:
    """Centre of the cube of Lift, shape (3,) [m]."""
    return scene.body_position("cube_main")


def observe_lift(scene: Scene) -> list[Vector]:
    """24 numbers: hand 9, joint velocities 7, cube from hand 3, its height 1, its quaternion 4."""
    cube = cube_position(scene)
    return [
        *_hand(scene),
        0.3 * scene.joint_velocity(),
        10 * (cube - scene.eef_position()),
        20 * (cube[2:] - LIFT_TABLE),
        scene.body_quaternion("cube_main"),
    ]


@dataclass(frozen=True)
class RobosuiteTask:
    """One task.

    Attributes:
        name: as in `env=NAME`.
        controller: OSC_POSITION (3 actions) or OSC_POSE (6 actions); the gripper adds one.
        horizon: control steps until an episode is truncated.
        observe: the parts of the observation.
    """

    name: str
    controller: str
    horizon: int
    observe: Callable[[Scene], list[Vector]]

    def observation(self, scene: Scene) -> npt.NDArray[np.float32]:
        """Shape (D,)."""
        return np.concatenate(self.observe(scene)).astype(np.float32)


TASKS = {
    "Lift": RobosuiteTask("robosuite_lift", "OSC_POSITION", 60, observe_lift),
}
