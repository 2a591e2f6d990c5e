"""Small learners, and a way not to wait for ever."""

import threading

import numpy as np
import pytest

from porl_robot.learner.learner import Learner, LearnerConfig
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.explorers import SampleFromPolicy
from porl_robot.methods.heads import MinOfRandomSubset
from porl_robot.methods.method import ActorInit, CriticTraining, Method, Temperature
from porl_robot.methods.next_actions import Sampled
from porl_robot.methods.targets import Bootstrap
from porl_robot.methods.warm_up import WarmUp
from porl_robot.policy.spec import Policy, PolicySpec, weight_shapes
from porl_robot.replay.buffer import ReplayBuffer

D, A = 3, 2


def make_policy(seed=0, hidden=(8,)):
    spec = PolicySpec("toy", D, A, 20.0, hidden)
    rng = np.random.default_rng(seed)
    weights = {n: (0.5 * rng.normal(size=shape)).astype("f4") for n, shape in weight_shapes(spec).items()}
    weights["observation.std"] = rng.uniform(0.5, 2.0, D).astype("f4")
    return Policy(spec, weights)


def make_method(**changes):
    parts = {
        "name": "toy",
        "requires": (),
        "actor": ActorInit("checkpoint", None, 1e-3),
        "explorer": SampleFromPolicy(),
        "target": Bootstrap(0.9, Sampled(), MinOfRandomSubset(2)),
        "critic_loss": TemporalDifference(),
        "critic": CriticTraining(3e-3, 0.05),
        "actor_loss": SoftActorCritic("mean"),
        "temperature": Temperature(0.1, 1e-3, None),
        "warm_up": WarmUp(0, False),
    }
    return Method(**(parts | changes))


def make_config(**changes):
    sizes = {
        "members": 3,
        "hidden": (8, 8),
        "batch_size": 16,
        "updates_per_step": 2,
        "backend": "eager",
        "threads": 1,
        "device": "cpu",
        "lag": 1,
    }
    return LearnerConfig(**(sizes | changes))


def fill(buffer, rows, seed=0, length=10):
    """Episodes of `length` random steps, every other one terminated."""
    rng = np.random.default_rng(seed)
    for row in range(rows):
        last = row % length == length - 1
        terminated = last and (row // length) % 2 == 0
        observation, following = rng.normal(size=(2, D))
        reward = 0.0 if terminated else -1.0
        buffer.add(observation, rng.uniform(-1, 1, A), following, reward, terminated, last and not terminated)


def make_learner(seed=0, rows=60, capacity=2000, method=None, policy=None, **config):
    buffer = ReplayBuffer(capacity, D, A)
    fill(buffer, rows)
    return Learner(method or make_method(), make_config(**config), policy or make_policy(), buffer, (-1.0, 0.0), seed)


def in_time(job, seconds=20.0):
    """What `job` returns or raises; fails where it takes too long."""
    outcome = {}

    def run():
        try:
            outcome["value"] = job()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"still waiting after {seconds} s"
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


@pytest.fixture(scope="session")
def policy_of():
    return make_policy


@pytest.fixture(scope="session")
def method_of():
    return make_method


@pytest.fixture(scope="session")
def config_of():
    return make_config


@pytest.fixture(scope="session")
def learner_of():
    return make_learner


@pytest.fixture(scope="session")
def within():
    return in_time
