"""Discounted returns of finished episodes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.replay.buffer import ReplayBuffer

from .episodes import DISCOUNT, added, episodes_of, lengths_and_ends, returns_by_hand


@settings(max_examples=60, deadline=None)
@given(lengths_and_ends, st.floats(0.01, 0.99), st.integers(0, 5))
def test_returns_equal_the_forward_sum(shape, discount, unfinished):
    steps = list(episodes_of(shape, 4))
    pending = list(episodes_of([(6, False)], 5))[:unfinished]
    found = added([*steps, *pending]).returns(discount)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, returns_by_hand(steps, discount), rtol=1e-4, atol=1e-4)


def test_returns_of_the_usual_reward():
    """-1 per step and 0 on success: a failure is worth -1 / (1 - discount) at every step of it."""
    buffer, nothing = ReplayBuffer(10, 1, 1), np.zeros(1)
    for frame in range(3):
        buffer.add(nothing, nothing, nothing, -1.0 if frame < 2 else 0.0, frame == 2, False)
    for frame in range(4):
        buffer.add(nothing, nothing, nothing, -1.0, False, frame == 3)
    np.testing.assert_allclose(buffer.returns(0.9), [-1.9, -1.0, 0.0, *[-10.0] * 4], rtol=1e-6)


def test_no_finished_episode_no_returns():
    assert added([]).returns(0.9).shape == (0,)
    assert added(list(episodes_of([(5, False)]))[:3]).returns(0.9).shape == (0,)


def test_returns_are_filled_in_once_their_episode_is_granted():
    steps = list(episodes_of([(3, True), (4, False)], 8))
    buffer, expected = added(steps), returns_by_hand(steps, DISCOUNT)
    for rows, known in ((0, 0), (2, 0), (3, 3), (6, 3), (7, 7)):
        buffer.fill_returns(rows, DISCOUNT)
        returns = buffer.all(7).returns
        np.testing.assert_allclose(returns[:known], expected[:known], rtol=1e-4, atol=1e-5)
        assert torch.isneginf(returns[known:]).all()


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("success", [None, False, True])
def test_only_a_failure_that_ends_its_episode_is_worth_the_least(success, n):
    buffer, nothing = ReplayBuffer(10, 1, 1), np.zeros(1)
    buffer.value_bounds = (-10.0, 0.0)
    for frame in range(3):
        buffer.add(nothing, nothing, nothing, -1.0, frame == 2, False, success)
    buffer.add(nothing, nothing, nothing, -1.0, False, True, success)
    expected = [-10.0, -10.0, -10.0] if success is False else [-2.71, -1.9, -1.0]
    np.testing.assert_allclose(buffer.returns(0.9), [*expected, -10.0], rtol=1e-5)
    batch = buffer.gather(torch.arange(4), 4, (4,), 0.9, n)
    alone = np.array([expected[2] if frame == 2 else -1.0 for frame in range(3)])
    ahead = [sum(0.9**k * reward for k, reward in enumerate(alone[frame : frame + n])) for frame in range(3)]
    np.testing.assert_allclose(batch.reward, [*ahead, -1.0], rtol=1e-5)
    assert buffer.outcomes(4)[0].total == -3.0
