"""robosuite's manipulation tasks with a Panda arm behind the common interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from porl_robot.command import CommandSpace, FloatArray, RobotState, SafetyChain
from porl_robot.env import Outcome, box
from porl_robot.errors import UsageError
from sim.direct import DirectActionEnv
from sim.quiet import quiet
from sim.robosuite_scene import Scene
from sim.robosuite_tasks import TASKS

ROBOSUITE_LOGGER = "robosuite_logs"
with quiet(ROBOSUITE_LOGGER):
    import robosuite

STEP_SIZE = 0.05  # what an action of 1 asks for [m]
TURN_SIZE = 0.5  # what a rotation action of 1 asks for [rad]
CONTROL_HZ = 20.0


class RobosuiteEnv(DirectActionEnv):
    """A robosuite task; reward -1 per step and 0 on success, which ends the episode.

    Actions: hand translation in the base frame (1 is 5 cm), for tasks that turn the hand its rotation (1 is .5 rad,
    axis-angle), gripper (negative opens, positive closes, 0 keeps it).

    Attributes:
        scene: read access to the simulation, for scripted demonstrators.
    """

    command_space = CommandSpace.CARTESIAN_DELTA
    control_hz = CONTROL_HZ

    def __init__(self, task: str, safety: SafetyChain | None = None) -> None:
        """Takes some seconds: the first steps compile robosuite's numba functions, and they are made here.

        Raises:
            UsageError: there is no such task.
        """
        if task not in TASKS:
            raise UsageError(f"robosuite task {task!r} is unknown; there are {', '.join(TASKS)}")
        self._task = TASKS[task]
        self.name = self._task.name
        self.horizon = self._task.horizon
        with quiet(ROBOSUITE_LOGGER):
            self._suite = _make_suite(task, self._task.rotates)
            self.scene = Scene(self._suite)
            size = int(self._suite.action_dim)
            self._suite.reset()
            self._suite.step(np.full(size, 0.1))
            observation = self._task.observation(self.scene)
        self.observation_space = box(-np.inf, np.inf, observation.size)
        self._take_actions(size, safety)

    def robot_state(self) -> RobotState:
        """The seven arm joints."""
        return RobotState(self.scene.joint_position(), self.scene.joint_velocity(), self._last, self._now())

    def close(self) -> None:
        """Frees the simulation."""
        self._suite.close()

    def _begin_episode(self, seed: int | None) -> None:
        # robosuite draws everything from one generator that its samplers share, so it is reseeded in place.
        fresh = np.random.PCG64(int(self.np_random.integers(2**63)))
        self._suite.rng.bit_generator.state = fresh.state
        self._suite.reset()
        self._last = self._idle

    def _wait_for_tick(self) -> None:
        self._suite.step(self._last.values)

    def _observe(self) -> FloatArray:
        return self._task.observation(self.scene)

    def _outcome(self) -> Outcome:
        success = self.scene.succeeded()
        return Outcome(0.0 if success else -1.0, success, success)


def _make_suite(task: str, rotates: bool) -> Any:
    # Only the right arm's part of the config: robosuite warns of every part a Panda lacks, at every reset.
    config = robosuite.load_composite_controller_config(controller="BASIC")
    arm = config["body_parts"]["right"]
    reach = [STEP_SIZE] * 3 + ([TURN_SIZE] * 3 if rotates else [])
    controller = "OSC_POSE" if rotates else "OSC_POSITION"
    arm.update(type=controller, output_max=reach, output_min=[-limit for limit in reach])
    config["body_parts"] = {"right": arm}
    return robosuite.make(
        task,
        robots="Panda",
        controller_configs=config,
        control_freq=CONTROL_HZ,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        hard_reset=False,
        lite_physics=True,
        ignore_done=True,
        # Lift draws its cube's size once, from this: every instance shall have the same cube.
        seed=0,
    )
