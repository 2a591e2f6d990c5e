"""The MuJoCo twin of an arm on a bus: the reach task without wire, port and waiting."""

from __future__ import annotations

import math
from collections import deque

import mujoco
import numpy as np

from hardware.calibration import TICKS_PER_TURN
from hardware.description import RobotDescription
from hardware.reach_env import ReachEnv
from porl_robot.command import Command, FloatArray, RobotState
from porl_robot.errors import UsageError
from sim.identify.transmission import Transmission

_TICK = math.tau / TICKS_PER_TURN
_DELAY = 0.02
"""From a goal's time to the servo heeding it [s]: the way to the arm host, waiting for its cycle, and the wire."""
_SETTLING = 0.5
"""Simulated before an episode begins, so that the arm sags as one that has moved there [s]."""


class SerialTwin(ReachEnv):
    """The arm's model in place of the arm.

    As behind the wire, goals lead from command to command within the period and reach the servos once per bus cycle, in
    ticks and late; positions and velocities come back in ticks, one bus cycle old. Unlike there, an episode begins by
    setting the state: the start poses are the same, the way to them takes no time. A model that was identified adds
    its arm's delay and backlash.

    Args:
        robot: the arm; its port is not touched.
        speed: share of the arm's velocity, acceleration and jerk limits that may be used, in (0, 1].

    Raises:
        UserError: the arm has no model that suits it, or its rates do not divide.
    """

    def __init__(self, robot: RobotDescription, speed: float = 1.0) -> None:
        super().__init__(robot, speed=speed)
        self._model = mujoco.MjModel.from_xml_path(str(robot.model))
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name).id for name in self.kinematics.names]
        self._qpos, self._dof = self._model.jnt_qposadr[joints], self._model.jnt_dofadr[joints]
        self._cycles = _whole(robot.bus_hz / self.control_hz, f"robot.bus_hz={robot.bus_hz:g}", self.control_hz)
        self._substeps = _whole(1.0 / (robot.bus_hz * self._model.opt.timestep), "the model's timestep", robot.bus_hz)
        self._transmission = Transmission(self._model)
        self._late = round(_DELAY * robot.bus_hz)
        self._move_to(self.task.centre)

    def robot_state(self) -> RobotState:
        age = self.dt / self._cycles
        return RobotState(self._position, self._velocity, self._commanded, self._now() - age, age)

    def hold(self) -> None:
        position = self.robot_state().position
        self._commanded = Command.at_rest(self.command_space, np.clip(position, self.limits.lower, self.limits.upper))

    def _move_to(self, pose: FloatArray) -> None:
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[self._qpos] = pose
        self._commanded = self._reached = Command.at_rest(self.command_space, pose.copy())
        self._underway = deque([pose] * self._late)
        self._transmission.reset(pose)
        for _ in range(round(_SETTLING * self.control_hz)):
            self._wait_for_tick()

    def _send(self, command: Command) -> None:
        self._commanded = command

    def _wait_for_tick(self) -> None:
        for cycle in range(1, self._cycles + 1):
            self._listen()
            self._underway.append(between(self._reached, self._commanded, self.dt, cycle / self._cycles))
            self._transmission.run(self._data, self._in_ticks(self._underway.popleft()), self._substeps)
        self._reached = self._commanded

    def _listen(self) -> None:
        """Reads what the servos tell now."""
        self._position = self._in_ticks(self._data.qpos[self._qpos])
        self._velocity = np.round(self._data.qvel[self._dof] / _TICK) * _TICK

    def _in_ticks(self, position: FloatArray) -> FloatArray:
        """`position` (n,) as far as the encoders tell it."""
        middle = self.kinematics.middle
        quantised: FloatArray = middle + np.round((position - middle) / _TICK) * _TICK
        return quantised


def between(start: Command, end: Command, period: float, share: float) -> FloatArray:
    """Where the goal is after `share` of `period` [s] on its way from one command's motion to the next one's.

    The polynomial of fifth degree that has position, velocity and acceleration of both at its ends. Shape (n,).
    """
    gap = end.values - start.values - period * start.velocity - period**2 / 2 * start.acceleration
    speed = period * (end.velocity - start.velocity) - period**2 * start.acceleration
    force = period**2 * (end.acceleration - start.acceleration)
    cubic, quartic, quintic = (
        10 * gap - 4 * speed + force / 2,
        -15 * gap + 7 * speed - force,
        6 * gap - 3 * speed + force / 2,
    )
    s = share
    begun = start.values + s * period * start.velocity + (s * period) ** 2 / 2 * start.acceleration
    return begun + s**3 * (cubic + s * (quartic + s * quintic))


def _whole(ratio: float, what: str, rate: float) -> int:
    if abs(ratio - round(ratio)) > 1e-9 or ratio < 1:
        raise UsageError(f"{what}: does not divide into whole periods of {rate:g} Hz")
    return round(ratio)
