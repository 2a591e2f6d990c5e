"""How late the control loop and the arm host's bus loop are beside a learner.

Run by `benchmarks/wire.py`; alone it is the learner of the row `process`, which learns until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from arms import described, virtual_arm

from hardware.host.spread import Spread, spread
from hardware.serial_env import SerialReach
from porl_robot.learner.learner import Learner
from porl_robot.learner.thread import LearnerThread
from porl_robot.policy.network import random_policy
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.verbs.build import make_learner_config, make_method
from porl_robot.verbs.compose import load

_ROWS = 2_000
_PERIOD = 0.05
_BLOCKS = {"off": 0, "thread": 1, "process": 0, "saturated thread": 40}
"""Blocks of updates granted per control step in the robot process; a run grants one."""


class TimedReach(SerialReach):
    """Notes how late each control period ends [s]."""

    lateness: list[float]

    def _wait_for_tick(self) -> None:
        super()._wait_for_tick()
        self.lateness.append(self._now() - self._due)


def lateness(episodes: int, seed: int) -> list[dict[str, Any]]:
    """One row per place and load of the learner; milliseconds."""
    print(f"\n{'learner':18} blocks/s  control p50     p99     max  host p50     p99     max")
    rows = []
    for place, blocks in _BLOCKS.items():
        with virtual_arm("feetech") as (virtual, _), _other_process(place == "process"):
            control, host, rate = _measured(TimedReach(described("feetech", virtual.link)), blocks, episodes, seed)
        rows.append({"learner": place, "blocks_per_s": rate, "control": asdict(control), "host": asdict(host)})
        print(
            f"{place:18} {rate:8.1f} {control.median:12.3f} {control.p99:7.3f} {control.largest:7.2f} "
            f"{host.median:9.3f} {host.p99:7.3f} {host.largest:7.2f}",
            flush=True,
        )
    return rows


def _measured(env: TimedReach, blocks: int, episodes: int, seed: int) -> tuple[Spread, Spread, float]:
    """Lateness of the control loop and of the host's, and blocks done per second of stepping."""
    late: list[float] = []
    try:
        with _learner(seed) as thread:
            for episode in range(episodes):
                env.lateness = []
                observation, _ = env.reset(seed=seed + episode)
                env.lateness.clear()
                for step in range(env.horizon):
                    observation, _, terminated, truncated, _ = env.step(thread.current().agent.mode(observation))
                    for _ in range(blocks):
                        thread.step(_ROWS, step)
                    if terminated or truncated:
                        break
                late += env.lateness
            rate = thread.blocks / (len(late) * env.dt)
            return spread(late, len(late)), env._host.report().statistics.lateness, rate
    finally:
        env.close()


@contextmanager
def _learner(seed: int) -> Iterator[LearnerThread]:
    config = load("finetune", ["env=serial_reach", "method=porl", "policy=-", "out=-"])
    spec = PolicySpec("serial_reach", 18, 4, 20.0, (128, 128))
    random = np.random.default_rng(seed)
    buffer = ReplayBuffer(_ROWS, 18, 4, "cpu", None)
    for row in range(_ROWS):
        observations = random.normal(size=(2, 18)).astype(np.float32)
        buffer.add(observations[0], random.uniform(-1, 1, 4), observations[1], -1.0, row % 50 == 49, False)
    start = random_policy(spec, seed)
    learner = Learner(make_method(config), make_learner_config(config), start, buffer, (-1.0, 0.0), seed)
    thread = LearnerThread(learner, None)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


@contextmanager
def _other_process(wanted: bool) -> Iterator[None]:
    """A process that learns one block per control period, as the thread does."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def _learn() -> None:
    with _learner(0) as thread:
        print("learning", flush=True)
        while True:
            thread.step(_ROWS, 0)
            time.sleep(_PERIOD)


if __name__ == "__main__":
    _learn()
