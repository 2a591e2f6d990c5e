"""Episodes as steps, as logs and in buffers, and what their returns are."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st

from porl_robot.replay.buffer import Batch, ReplayBuffer
from porl_robot.replay.log import LogData

D, A = 4, 2
DISCOUNT = 0.9
lengths_and_ends = st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=6)


def episodes_of(shape, seed=0):
    """Steps (observation, action, following, reward, terminated, truncated) of episodes (length, terminated)."""
    rng = np.random.default_rng(seed)
    for length, terminated in shape:
        observations = rng.normal(size=(length + 1, D)).astype("f4")
        for frame in range(length):
            last = frame == length - 1
            action = rng.uniform(-1, 1, A).astype("f4")
            reward = float(np.float32(rng.normal()))
            ended = (last and terminated, last and not terminated)
            yield observations[frame], action, observations[frame + 1], reward, *ended


def log_of(shape, spec, seed=0, lost_end=False):
    """The same steps as a log; with `lost_end` the last final observation is unknown, as after a crash."""
    steps = list(episodes_of(shape, seed))
    ends = np.cumsum([length for length, _ in shape])
    finals = np.array([steps[end - 1][2] for end in ends])
    if lost_end:
        finals[-1] = np.nan
    filled = {
        "path": Path("run"),
        "spec": dataclasses.replace(spec, observation_size=D, action_size=A),
        "observation": np.array([step[0] for step in steps]),
        "action": np.array([step[1] for step in steps]),
        "reward": np.array([step[3] for step in steps], "f4"),
        "terminated": np.array([step[4] for step in steps]),
        "truncated": np.array([step[5] for step in steps]),
        "episode_ends": ends,
        "final_observation": finals,
    }
    rest = {field.name: np.zeros(len(steps)) for field in dataclasses.fields(LogData) if field.name not in filled}
    for array in filled.values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return LogData(**filled, **rest)


def added(steps, capacity=100):
    buffer = ReplayBuffer(capacity, D, A)
    for step in steps:
        buffer.add(*step)
    return buffer


def extended(*logs, capacity=100):
    buffer = ReplayBuffer(capacity, D, A)
    for log in logs:
        buffer.extend(log)
    return buffer


def numbered(count, capacity=200):
    """Row i holds i everywhere."""
    buffer = ReplayBuffer(capacity, D, A)
    for row in range(count):
        buffer.add(np.full(D, row), np.full(A, row), np.full(D, row), float(row), row % 2 == 0, False)
    return buffer


def assert_same(first, second):
    assert len(first) == len(second)
    assert first.episodes == second.episodes
    assert first.outcomes(len(first)) == second.outcomes(len(second))
    for buffer in (first, second):
        buffer.fill_returns(len(buffer), DISCOUNT)
    for field in Batch.__slots__:
        assert torch.equal(getattr(first.all(len(first)), field), getattr(second.all(len(second)), field)), field
    returns = first.returns(DISCOUNT)
    np.testing.assert_array_equal(returns, second.returns(DISCOUNT))
    np.testing.assert_array_equal(returns, first.all(len(returns)).returns)


def returns_by_hand(steps, discount):
    """Every return by summing forward; beyond a truncation the mean reward of the episode goes on for ever."""
    episodes, current = [], []
    for step in steps:
        current.append((step[3], step[4]))
        if step[4] or step[5]:
            episodes.append(current)
            current = []
    returns = []
    for episode in episodes:
        rewards = [reward for reward, _ in episode]
        tail = 0.0 if episode[-1][1] else sum(rewards) / len(rewards) / (1 - discount)
        for start in range(len(rewards)):
            left = rewards[start:]
            value = sum(discount**k * reward for k, reward in enumerate(left))
            returns.append(value + discount ** len(left) * tail)
    return returns
