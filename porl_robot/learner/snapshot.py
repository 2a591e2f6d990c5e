"""Policies a learner has published: immutable, numbered, and only ever whole."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from porl_robot.policy.inference import Agent
from porl_robot.policy.spec import Policy


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published policy and what acts with it. Version 0 is what the run began with; version n has seen n blocks."""

    version: int
    policy: Policy
    agent: Agent


class SnapshotShelf:
    """The last few snapshots.

    Args:
        keep: how many.
    """

    def __init__(self, first: Policy, agent: Agent, keep: int, version: int = 0) -> None:
        self._lock = threading.Lock()
        self._shelf = deque([Snapshot(version, first, agent)], maxlen=keep)

    def publish(self, version: int, policy: Policy, agent: Agent) -> None:
        """Adds a snapshot newer than all before it."""
        snapshot = Snapshot(version, policy, agent)
        with self._lock:
            self._shelf.append(snapshot)

    def newest(self, limit: int | None = None) -> Snapshot:
        """The newest snapshot, or the newest whose version is at most `limit`."""
        with self._lock:
            if limit is None:
                return self._shelf[-1]
            return max((s for s in self._shelf if s.version <= limit), key=lambda s: s.version)
