"""What lies between the goals that are sent and those that the servos pull to: delay and backlash.

MJCF has no place for backlash, and MuJoCo's own delay begins every episode with goals of zero. So a model file keeps
both as custom numerics, and whoever steps the model passes its goals through a `Transmission`.
"""

from __future__ import annotations

import mujoco
import numpy as np

from porl_robot.command import FloatArray

DELAY, BACKLASH = "delay", "backlash"
"""Custom numerics of a model: per actuator, in order [s], [rad]; a model without them has neither."""


def numeric(model: mujoco.MjModel, name: str) -> FloatArray:
    """The custom numeric `name`, one value per actuator; zeros where the model has none. Shape (n,).

    Raises:
        ValueError: it has another size, or a value that is negative or not finite.
    """
    found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_NUMERIC, name)
    if found < 0:
        return np.zeros(model.nu)
    values: FloatArray = model.numeric(found).data.copy()
    if values.shape != (model.nu,) or not np.isfinite(values).all() or (values < 0.0).any():
        raise ValueError(f"numeric '{name}' is {values.tolist()}; expected {model.nu} values of at least zero")
    return values


class Transmission:
    """Goals as the servos come to follow them: late by `delay`, and with `backlash`, the play whose slack they take up.

    The play is the operator p(t) = min(max(p(t-), u(t) - b/2), u(t) + b/2). Within a physics step the goal counts with
    its mean over the step, so that a delay need not be a whole number of steps.

    Args:
        model: with `delay` and `backlash` as custom numerics, or without.

    Raises:
        ValueError: one of them is not what it should be.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._half = numeric(model, BACKLASH) / 2
        steps = numeric(model, DELAY) / model.opt.timestep
        self._direct = not (self._half.any() or steps.any())
        self._whole = np.floor(steps).astype(int)
        self._share = steps - self._whole
        self._joints = np.arange(model.nu)
        self.reset(np.zeros(model.nu))

    def reset(self, goals: FloatArray) -> None:
        """As if the goals (n,) [rad] had been these for long, with the slack on no side."""
        self._sent = np.tile(goals, (self._whole.max() + 2, 1))
        self._at = 0
        self._play = np.array(goals, dtype=np.float64)

    def run(self, data: mujoco.MjData, goals: FloatArray, steps: int) -> None:
        """Lets `steps` physics steps of the model pass under the goals (n,), sent at their beginning."""
        if self._direct:
            data.ctrl[:] = goals
            mujoco.mj_step(self._model, data, steps)
            return
        for _ in range(steps):
            data.ctrl[:] = self.advance(goals)
            mujoco.mj_step(self._model, data)

    def advance(self, goals: FloatArray) -> FloatArray:
        """What the servos pull to in the next physics step, given the goals (n,) sent at its beginning. Shape (n,)."""
        size = len(self._sent)
        self._at = (self._at + 1) % size
        self._sent[self._at] = goals
        late = self._sent[(self._at - self._whole) % size, self._joints]
        later = self._sent[(self._at - self._whole - 1) % size, self._joints]
        due = (1 - self._share) * late + self._share * later
        self._play = np.minimum(np.maximum(self._play, due - self._half), due + self._half)
        return self._play.copy()
