import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.policy.spec import Policy, require_fit, weight_shapes


def altered(policy, **spec):
    return Policy(dataclasses.replace(policy.spec, **spec), policy.weights)


def test_hash_is_of_behaviour_alone(policy_of):
    policy = policy_of()
    reordered = Policy(policy.spec, dict(reversed(policy.weights.items())))
    strided = Policy(policy.spec, {name: np.asfortranarray(array) for name, array in policy.weights.items()})
    assert altered(policy, provenance={"seed": 3}).hash == policy.hash
    assert reordered.hash == strided.hash == policy.hash


def test_hash_tells_every_change_of_behaviour(policy_of):
    policy = policy_of()
    hashes = {policy.hash, altered(policy, env="arm_push").hash, altered(policy, control_hz=10.0).hash}
    for name, array in policy.weights.items():
        changed = array.copy()
        changed.flat[-1] = np.nextafter(changed.flat[-1], np.float32(9))
        hashes.add(Policy(policy.spec, {**policy.weights, name: changed}).hash)
    assert len(hashes) == 3 + len(policy.weights)


def test_hash_is_known(policy_of):
    """Logs and checkpoints name policies by it: it may not change with a refactoring."""
    policy = policy_of(2, 1, (2,))
    weights = {name: np.ones(shape, "f4") for name, shape in weight_shapes(policy.spec).items()}
    known = "2425c6bed66e81d0caa30ee54aa12ea041bea5d72c739738918874b4435443c8"
    assert Policy(policy.spec, weights).hash == known


def env(observations=5, actions=3, control_hz=20.0):
    return SimpleNamespace(
        name="arm_push",
        control_hz=control_hz,
        observation_space=SimpleNamespace(shape=(observations,)),
        action_space=SimpleNamespace(shape=(actions,)),
    )


def test_fitting_policy_is_accepted(policy_of):
    require_fit(policy_of(), env(), "runs/x")


@pytest.mark.parametrize("wrong", [{"observations": 26}, {"actions": 4}, {"control_hz": 12.5}])
def test_policy_that_does_not_fit_is_refused_by_name(policy_of, wrong):
    with pytest.raises(UserError) as caught:
        require_fit(policy_of(), env(**wrong), "runs/x")
    message = str(caught.value)
    assert "\n" not in message
    named = ("runs/x", "arm_reach", "arm_push", "5 observations", "3 actions", "20 Hz")
    (key, value), *_ = wrong.items()
    for part in (*named, {"control_hz": f"{value:g} Hz"}.get(key, f"{value} {key}")):
        assert part in message
