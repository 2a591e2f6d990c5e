"""Regression on a source's actions."""

import numpy as np
import pytest
import torch

from porl_robot.policy.importing.agreement import mode_difference
from porl_robot.policy.importing.distil import (
    NEIGHBOURS,
    STD_RANGE,
    Regression,
    fit,
    neighbours,
    with_residual_std,
)
from porl_robot.policy.network import log_std_head, random_policy
from porl_robot.policy.spec import PolicySpec

SPEC = PolicySpec("task", 2, 2, 20.0, (32, 32))


def begun(rows):
    return random_policy(SPEC, 0, torch.from_numpy(rows))


def wave(observations):
    return np.stack([0.8 * np.sin(observations[:, 0]), np.clip(3 * observations[:, 1], -1, 1)], 1)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).uniform(-2, 2, (2000, 2)).astype("f4")


@pytest.fixture(scope="module")
def fitted(rows):
    return fit(begun(rows), rows, wave(rows), Regression(1500), 1)


def test_the_mode_comes_close(fitted):
    fresh = np.random.default_rng(1).uniform(-2, 2, (300, 2)).astype("f4")
    assert mode_difference(fitted, fresh, wave(fresh)).within(0.15)


def test_it_is_repeatable(rows):
    one, other = (fit(begun(rows), rows, wave(rows), Regression(20), 1) for _ in range(2))
    assert one.hash == other.hash


def test_going_on_goes_on(rows, fitted):
    further = fit(fitted, rows, wave(rows), Regression(1, learning_rate=1e-6), 2)
    assert mode_difference(further, rows[:100], wave(rows[:100])).within(0.15)


def test_the_spread_is_that_of_the_residuals(rows, fitted):
    noise = np.random.default_rng(3).normal(0, 0.3, (2000, 2))
    actions = np.tanh(np.arctanh(0.9 * wave(rows)) + noise)
    flat = fit(fitted, rows, 0.9 * wave(rows), Regression(1500), 4)
    noisy = with_residual_std(flat, rows, actions)
    assert noisy.weights["log_std.bias"] == pytest.approx(np.full(2, log_std_head(0.3)), abs=0.15)
    assert not noisy.weights["log_std.weight"].any()
    exact = with_residual_std(fitted, rows[:1], np.stack([np.tanh([0, 0])]))
    assert (exact.weights["log_std.bias"] <= np.float32(log_std_head(STD_RANGE[1]))).all()
    np.testing.assert_array_equal(noisy.weights["mean.weight"], flat.weights["mean.weight"])


def test_neighbours_lie_around(rows):
    around = neighbours(rows, 0).reshape(NEIGHBOURS, *rows.shape)
    assert (around - rows).std((0, 1)) == pytest.approx(0.5 * rows.std(0), rel=0.05)
