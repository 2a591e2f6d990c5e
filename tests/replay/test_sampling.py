"""What is gathered from a buffer: whole rows, n steps long too, also while it is written."""

import math
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.methods.replay_plans import Uniform
from porl_robot.replay.buffer import Batch, ReplayBuffer

from .episodes import DISCOUNT, A, D, added, episodes_of, lengths_and_ends, numbered


def sampled(buffer, rows, shape, seed):
    """Uniform rows below `rows`."""
    indices = Uniform().indices(0, rows, math.prod(shape), {}, torch.Generator().manual_seed(seed))
    return buffer.gather(indices, rows, shape, DISCOUNT)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 100), st.sampled_from([(64,), (3, 16), (2, 2, 8)]), st.integers(0, 2**31))
def test_samples_are_whole_rows_below_the_count_given(rows, shape, seed):
    batch = sampled(numbered(100), rows, shape, seed)
    row = batch.reward
    assert row.shape == batch.discount.shape == batch.returns.shape == shape
    assert batch.observation.shape == batch.next_observation.shape == (*shape, D)
    assert batch.action.shape == (*shape, A)
    assert row.min() >= 0 and row.max() < rows
    for part in (batch.observation, batch.action, batch.next_observation):
        assert torch.equal(part, row[..., None].expand_as(part))
    assert torch.equal(batch.discount, DISCOUNT * (row % 2))


def test_every_row_is_drawn_equally_often():
    drawn = sampled(numbered(100), 20, (400, 50), 0).reward.flatten()
    counts = np.bincount(drawn.long().numpy(), minlength=20)
    # 1000 expected each, with a standard deviation of 31.
    assert len(counts) == 20 and counts.min() > 850 and counts.max() < 1150


def test_samples_follow_the_generator():
    buffer = numbered(50)
    first, again, other = (sampled(buffer, 50, (64,), seed).reward for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_sample_is_a_copy():
    buffer = numbered(50)
    batch = sampled(buffer, 50, (64,), 1)
    for name in Batch.__slots__:
        getattr(batch, name).fill_(-1.0)
    kept = buffer.all(50)
    assert torch.equal(kept.observation[:, 0], torch.arange(50.0))
    assert torch.equal(kept.reward, torch.arange(50.0))
    assert torch.equal(kept.discount, torch.arange(50.0) % 2)


def n_steps_by_hand(steps, row, rows, discount, n):
    """Reward, discount and next observation of `n` steps from `row` on, one after the other."""
    reward, factor = 0.0, 1.0
    for at in range(row, min(row + n, rows)):
        _, _, following, earned, terminated, truncated = steps[at]
        reward += factor * earned
        factor *= 0.0 if terminated else discount
        if terminated or truncated:
            break
    return reward, factor, following


@settings(max_examples=60, deadline=None)
@given(lengths_and_ends, st.integers(1, 5), st.floats(0.01, 0.99), st.integers(0, 4))
def test_n_steps_end_with_their_episode_and_with_what_is_known(shape, n, discount, unknown):
    steps = list(episodes_of(shape, 6))
    buffer, rows = added(steps), max(1, len(steps) - unknown)
    batch = buffer.gather(torch.arange(rows), rows, (rows,), discount, n)
    for row in range(rows):
        reward, factor, following = n_steps_by_hand(steps, row, rows, discount, n)
        np.testing.assert_array_equal(batch.observation[row], steps[row][0])
        np.testing.assert_array_equal(batch.action[row], steps[row][1])
        np.testing.assert_array_equal(batch.next_observation[row], following)
        assert batch.reward[row].item() == pytest.approx(reward, rel=1e-4, abs=1e-5)
        assert batch.discount[row].item() == pytest.approx(factor, rel=1e-4)


def test_reader_of_granted_rows_never_sees_one_half_written():
    buffer, wrong, granted, over = ReplayBuffer(4000, D, A), [], [1], threading.Event()
    buffer.add(np.zeros(D), np.zeros(A), np.zeros(D), 0.0, False, False)

    def read():
        rng = torch.Generator().manual_seed(0)
        while not over.is_set():
            rows = granted[0]
            batch = buffer.gather(Uniform().indices(0, rows, 256, {}, rng), rows, (256,), DISCOUNT)
            same = torch.equal(batch.observation, batch.reward[:, None].expand(-1, D))
            if not same or batch.reward.max() >= rows:
                wrong.append(rows)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for row in range(1, 4000):
        buffer.add(np.full(D, row), np.full(A, row), np.full(D, row), float(row), False, row % 50 == 0)
        granted[0] = len(buffer)
    over.set()
    reader.join(20.0)
    assert not reader.is_alive() and wrong == []
