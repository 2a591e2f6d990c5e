"""A task of one number, and fine-tuning runs on it that take a second."""

import os
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch

from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.control.curve import RunConfig
from porl_robot.control.finetune import FineTuning
from porl_robot.control.metrics import MetricsLog
from porl_robot.control.run_state import RunState
from porl_robot.env import Outcome, RobotEnv, box
from porl_robot.learner.learner import Learner
from porl_robot.policy.network import random_parameters, to_policy
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.replay.writer import LogWriter
from porl_robot.safety import action_chain
from porl_robot.verbs import finetune
from porl_robot.verbs.build import make_learner_config, make_method
from porl_robot.verbs.compose import load
from porl_robot.verbs.outputs import log_spec


class Slider(RobotEnv):
    """A slider is to be pushed to a target. Both are observed; an action of 1 is a tenth of the way.

    Args:
        on_step: called before every step with the number of steps so far; may raise.
    """

    name = "slider"
    control_hz = 10.0
    horizon = 20
    command_space = CommandSpace.RAW
    observation_space = box(-np.inf, np.inf, 2)
    action_space = box(-1.0, 1.0, 1)

    def __init__(self, on_step=lambda steps: None, reachable=True):
        self.safety = action_chain(1)
        self.on_step, self._reachable = on_step, reachable
        self.taken = self.held = self.closed = 0
        self._command_sent = self._still = Command.at_rest(self.command_space, np.zeros(1))

    def robot_state(self):
        return RobotState(np.array([self._at]), np.zeros(1), self._command_sent, self._now())

    def hold(self):
        self.held += 1
        self._command_sent = self._still

    def close(self):
        self.closed += 1

    def _begin_episode(self, seed):
        self._at, self._target = self.np_random.uniform(-1, 1, 2)
        self._command_sent = self._still

    def _command(self, action):
        return Command.at_rest(self.command_space, action)

    def _send(self, command):
        self._command_sent = command

    def _wait_for_tick(self):
        self.on_step(self.taken)
        self.taken += 1
        self._at += 0.1 * float(self._command_sent.values[0])

    def _observe(self):
        return np.array([self._at, self._target], np.float32)

    def _outcome(self):
        success = self._reachable and bool(abs(self._at - self._target) < 0.1)
        return Outcome(0.0 if success else -1.0, success, success)


class Silence:
    """A reporter that only remembers."""

    def __init__(self):
        self.notes = []

    def progress(self, done, **figures):
        pass

    def note(self, text):
        self.notes.append(text)


@dataclass
class Run:
    """A fine-tuning run and its parts. `result` is what `FineTuning.run` returned."""

    tuning: FineTuning
    learner: Learner
    env: Slider
    log: LogWriter
    reporter: Silence
    result: object = None

    @property
    def state(self):
        return self.tuning.state


STRICT = ["method=porl", "method.warm_up.steps=60", "method.warm_up.fit.updates=20"]
SETTINGS = {
    "porl_strict": STRICT,
    "porl": [*STRICT, "method.warm_up.evidence=null"],
    "sac_naive": ["method=sac_naive"],
    "sac_scratch": ["method=sac_scratch", "method.explorer.uniform_steps=50", "method.warm_up.steps=50"],
}


def new_policy(seed=0):
    spec = PolicySpec("slider", 2, 1, 10.0, (8, 8))
    return to_policy(random_parameters(spec, torch.Generator().manual_seed(seed)), spec)


@cache
def config_of(method, overrides):
    """The config of a small learner; composing it takes longer than many a test."""
    small = ["learner.members=3", "learner.hidden=[8,8]", "learner.batch_size=16"]
    return load("finetune", ["env=arm_reach", *SETTINGS[method], *small, *overrides])


def new_learner(method="porl", steps=200, seed=0, overrides=(), policy=None):
    """A learner with an empty buffer for `steps`."""
    config = config_of(method, tuple(overrides))
    buffer = ReplayBuffer(steps, 2, 1)
    start = policy or new_policy()
    return Learner(make_method(config), make_learner_config(config), start, buffer, (-1.0, 0.0), seed)


def new_run(out, method="porl", *, steps=200, seed=0, eval_every=50, env=None, measured=None, resume=False, **given):
    """A run in `out`, which may hold the beginning of it; the log is open."""
    env = env or Slider()
    learner = new_learner(method, steps, seed, **given)
    state, missed = RunState(), 0
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        state, missed = finetune.resume(out, learner)
    log = (LogWriter.reopen if resume else LogWriter.create)(out, log_spec(env))
    config = RunConfig(steps, eval_every, 2, 3, seed, out)
    reporter = Silence()
    tuning = FineTuning(env, measured or Slider(), learner, log, MetricsLog(out), config, state, reporter, missed)
    return Run(tuning, learner, env, log, reporter)


def finished(out, method="porl", **given):
    """`new_run`, run to its end."""
    run = new_run(out, method, **given)
    run.result = run.tuning.run()
    return run


@pytest.fixture(scope="session", autouse=True)
def unsynced():
    """No test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "fdatasync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def slider():
    return Slider


@pytest.fixture(scope="session")
def policy_of():
    return new_policy


@pytest.fixture(scope="session")
def learner_of():
    return new_learner


@pytest.fixture(scope="session")
def run_of():
    return new_run


@pytest.fixture(scope="session")
def finished_run():
    return finished
