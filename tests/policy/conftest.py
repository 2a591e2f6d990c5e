"""Policies with random weights that the tests of this room share."""

import numpy as np
import pytest

from porl_robot.policy.spec import Policy, PolicySpec, weight_shapes


def make_policy(observations=5, actions=3, hidden=(8, 6), seed=0, scale=1.0, **spec):
    """A policy whose every array, statistics included, is random."""
    spec = PolicySpec("arm_reach", observations, actions, 20.0, hidden, **spec)
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(scale=scale / np.sqrt(shape[0]), size=shape).astype("f4")
        for name, shape in weight_shapes(spec).items()
    }
    weights["observation.std"] = rng.uniform(0.05, 3.0, observations).astype("f4")
    return Policy(spec, weights)


@pytest.fixture(scope="session")
def policy_of():
    return make_policy
