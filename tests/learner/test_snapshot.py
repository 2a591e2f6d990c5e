import dataclasses
import threading

import numpy as np
import pytest

from porl_robot.learner.snapshot import SnapshotShelf
from porl_robot.policy.inference import PolicyRunner


def shelf_of(policy, **arguments):
    return SnapshotShelf(policy, PolicyRunner(policy), **arguments)


def test_shelf_keeps_the_newest_few(policy_of):
    shelf = shelf_of(policy_of(0), keep=3)
    assert shelf.newest().version == 0
    for version in range(1, 6):
        shelf.publish(version, policy_of(version), PolicyRunner(policy_of(version)))
    assert shelf.newest().version == 5
    for limit in (3, 4, 5, 99):
        assert shelf.newest(limit).version == min(limit, 5)


def test_versions_may_have_gaps_and_begin_anywhere(policy_of):
    shelf, policy = shelf_of(policy_of(0), keep=4, version=10), policy_of(1)
    shelf.publish(13, policy, PolicyRunner(policy))
    assert [shelf.newest(limit).version for limit in (10, 12, 13, 20)] == [10, 10, 13, 13]


def test_snapshot_is_immutable_and_runs_its_own_policy(policy_of):
    shelf, policy = shelf_of(policy_of(0), keep=2), policy_of(1)
    agent = PolicyRunner(policy)
    shelf.publish(1, policy, agent)
    snapshot = shelf.newest()
    assert snapshot.policy is policy and snapshot.agent is agent
    other = shelf_of(policy, keep=1).newest()
    observation = np.ones(3, "f4")
    np.testing.assert_array_equal(snapshot.agent.mode(observation), other.agent.mode(observation))
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.version = 5


def test_reader_never_sees_half_a_snapshot(policy_of):
    """Version, policy and agent belong together, however reading and publishing interleave."""
    policies = {version: policy_of(version) for version in range(200)}
    modes = {}
    observation = np.ones(3, "f4")
    for version, policy in policies.items():
        modes[version] = PolicyRunner(policy).mode(observation)
    shelf, wrong = shelf_of(policies[0], keep=3), []

    def read():
        last = 0
        while last < 199:
            snapshot = shelf.newest()
            if snapshot.version < last or snapshot.policy is not policies[snapshot.version]:
                wrong.append(snapshot.version)
            if not np.array_equal(snapshot.agent.mode(observation), modes[snapshot.version]):
                wrong.append(snapshot.version)
            last = snapshot.version

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 200):
        shelf.publish(version, policies[version], PolicyRunner(policies[version]))
    for reader in readers:
        reader.join(20.0)
        assert not reader.is_alive()
    assert wrong == []
