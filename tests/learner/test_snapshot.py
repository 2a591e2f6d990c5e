import dataclasses
import threading

import numpy as np
import pytest

from porl_robot.learner.snapshot import SnapshotShelf


def test_shelf_keeps_the_newest_few(policy_of):
    shelf = SnapshotShelf(policy_of(0), keep=3)
    assert shelf.newest().version == 0
    for version in range(1, 6):
        shelf.publish(version, policy_of(version))
    assert shelf.newest().version == 5
    for limit in (3, 4, 5, 99):
        assert shelf.newest(limit).version == min(limit, 5)


def test_versions_may_have_gaps_and_begin_anywhere(policy_of):
    shelf = SnapshotShelf(policy_of(0), keep=4, version=10)
    shelf.publish(13, policy_of(1))
    assert [shelf.newest(limit).version for limit in (10, 12, 13, 20)] == [10, 10, 13, 13]


def test_snapshot_is_immutable_and_runs_its_own_policy(policy_of):
    shelf, policy = SnapshotShelf(policy_of(0), keep=2), policy_of(1)
    shelf.publish(1, policy)
    snapshot = shelf.newest()
    assert snapshot.policy is policy
    other = SnapshotShelf(policy, keep=1).newest()
    observation = np.ones(3, "f4")
    np.testing.assert_array_equal(snapshot.runner.mode(observation), other.runner.mode(observation))
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.version = 5


def test_reader_never_sees_half_a_snapshot(policy_of):
    """Version, policy and runner belong together, however reading and publishing interleave."""
    policies = {version: policy_of(version) for version in range(200)}
    modes = {}
    observation = np.ones(3, "f4")
    for version, policy in policies.items():
        modes[version] = SnapshotShelf(policy, keep=1).newest().runner.mode(observation)
    shelf, wrong = SnapshotShelf(policies[0], keep=3), []

    def read():
        last = 0
        while last < 199:
            snapshot = shelf.newest()
            if snapshot.version < last or snapshot.policy is not policies[snapshot.version]:
                wrong.append(snapshot.version)
            if not np.array_equal(snapshot.runner.mode(observation), modes[snapshot.version]):
                wrong.append(snapshot.version)
            last = snapshot.version

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 200):
        shelf.publish(version, policies[version])
    for reader in readers:
        reader.join(20.0)
        assert not reader.is_alive()
    assert wrong == []
