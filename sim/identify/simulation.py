"""What the model does under recorded goals, for many sets of parameters at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from porl_robot.command import FloatArray
from sim.identify import parameters
from sim.identify.excitation import Block
from sim.identify.parameters import NAMES, Servo
from sim.identify.recording import Recording

_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS
_DELAY, _BACKLASH = NAMES.index("delay"), NAMES.index("backlash")


class Simulation:
    """Open-loop runs of the arm's model, a block of a recording at a time.

    Contacts are left out: the excitation keeps clear of them.

    Args:
        model: of the arm.
        servos: its joints, in the recording's order.
        recording: gives start, goals and times.
        threads: runs at a time.
    """

    def __init__(self, model: mujoco.MjModel, servos: tuple[Servo, ...], recording: Recording, threads: int) -> None:
        self._model = copy.copy(model)
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
        self._servos = servos
        self._recording = recording
        self._data = [mujoco.MjData(self._model) for _ in range(threads)]
        self._pool = Rollout(nthread=threads)

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def positions(self, block: Block, candidates: Sequence[FloatArray]) -> FloatArray:
        """Joint positions at the times of `block`'s samples.

        Args:
            block: of the recording.
            candidates: K sets of parameters, each of shape (n, 5).

        Returns:
            Shape (K, samples, n) [rad].
        """
        time = self._recording.time[block.start : block.stop]
        step = self._model.opt.timestep
        edges = time[0] + step * np.arange(int(np.ceil((time[-1] - time[0]) / step)) + 1)
        controls = self._controls(block, edges, np.stack(candidates))
        states, _ = self._pool.rollout(
            [self._with(each) for each in candidates], self._data, self._start(block)[None], controls
        )
        # A full state begins with the time; positions follow.
        columns = [1 + servo.qpos for servo in self._servos]
        start = np.broadcast_to(self._recording.position[block.start], (len(candidates), 1, len(columns)))
        return _interpolated(time, edges, np.concatenate([start, states[:, :, columns]], axis=1))

    def _controls(self, block: Block, edges: FloatArray, candidates: FloatArray) -> FloatArray:
        """Shape (K, steps, actuators)."""
        time, goals = (each[block.start : block.stop] for each in (self._recording.time, self._recording.commanded))
        due = np.stack([delayed(time, goals, edges, each[:, _DELAY]) for each in candidates])
        pulled = played(due, candidates[:, :, _BACKLASH])
        controls = np.zeros((*pulled.shape[:2], self._model.nu))
        controls[:, :, [servo.actuator for servo in self._servos]] = pulled
        return controls

    def _with(self, candidate: FloatArray) -> mujoco.MjModel:
        model = copy.copy(self._model)
        parameters.write(model, self._servos, candidate)
        return model

    def _start(self, block: Block) -> FloatArray:
        """The model's own start, the arm where it was measured, at rest."""
        data = mujoco.MjData(self._model)
        data.qpos[[servo.qpos for servo in self._servos]] = self._recording.position[block.start]
        state = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        mujoco.mj_getState(self._model, data, state, _STATE)
        return state


def delayed(time: FloatArray, goals: FloatArray, edges: FloatArray, delay: FloatArray) -> FloatArray:
    """Mean over every physics step of goals that change at `time` and take effect `delay` later.

    Args:
        time: of T goals [s].
        goals: shape (T, n), each in force from its time to the next; the first and last for ever.
        edges: beginnings of the S steps and the end of the last, evenly spaced [s].
        delay: of each joint, shape (n,) [s].

    Returns:
        Shape (S, n). Piecewise linear in `delay`, so that a fit can follow its slope.
    """
    outer = edges[-1] - edges[0] + delay.max() + 1.0
    knots = np.concatenate([[time[0] - outer], time, [time[-1] + outer]])
    held = np.concatenate([goals[:1], goals])
    integral = np.concatenate([np.zeros((1, goals.shape[1])), np.cumsum(held * np.diff(knots)[:, None], axis=0)])
    at_edges = [np.interp(edges - late, knots, column) for late, column in zip(delay, integral.T, strict=True)]
    means: FloatArray = np.diff(np.stack(at_edges, axis=1), axis=0) / np.diff(edges)[:, None]
    return means


def played(goals: FloatArray, backlash: FloatArray) -> FloatArray:
    """Goals (K, S, n) after a play of whole width `backlash` (K, n), as in `Transmission`. Shape (K, S, n)."""
    half = (backlash / 2)[:, None]
    lower, upper = goals - half, goals + half
    out = np.empty_like(goals)
    state = goals[:, 0].copy()
    for i in range(goals.shape[1]):
        np.minimum(np.maximum(state, lower[:, i], out=state), upper[:, i], out=state)
        out[:, i] = state
    return out


def _interpolated(time: FloatArray, edges: FloatArray, values: FloatArray) -> FloatArray:
    """`values` (K, S + 1, n) at `edges` (S + 1,), linearly to `time` (T,). Shape (K, T, n)."""
    place = (time - edges[0]) / (edges[1] - edges[0])
    before = np.minimum(place.astype(int), len(edges) - 2)
    share = (place - before)[:, None]
    inside: FloatArray = (1 - share) * values[:, before] + share * values[:, before + 1]
    return inside
