"""How a run chooses actions while it learns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from porl_robot.env import FloatArray
from porl_robot.policy.inference import PolicyRunner


@dataclass(frozen=True, slots=True)
class SampleFromPolicy:
    """Samples the policy; before that, uniform actions for a while.

    Attributes:
        uniform_steps: environment steps with uniform actions at the start of the run.
    """

    uniform_steps: int = 0

    def act(
        self, runner: PolicyRunner, observation: FloatArray, step: int, rng: np.random.Generator
    ) -> tuple[FloatArray, float]:
        """The action (A,) in [-1, 1] at environment step `step`, and its log-density."""
        if step >= self.uniform_steps:
            return runner.sample(observation, rng)
        action = rng.uniform(-1.0, 1.0, runner.action_size)
        return action, -runner.action_size * float(np.log(2.0))
