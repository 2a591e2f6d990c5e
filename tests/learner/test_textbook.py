"""The update against soft actor-critic as a textbook has it."""

import pytest
import torch

from porl_robot.learner.update import update_block

from .block import RATES, coefficients_of, drawn, flat, losses_of, state_of
from .textbook import Textbook

VARIANTS = {
    "porl": {},
    "anchored": {"anchored": True},
    "entropy_backup": {"entropy_backup": True, "bounds": (float("-inf"), float("inf"))},
    "pessimistic": {"size": 4, "value": "min"},
    "one_target": {"size": 1, "anchored": True, "value": "min"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_update_equals_the_textbook(policy_of, variant, dtype, tolerance):
    losses, state, rng = losses_of(**VARIANTS[variant]), state_of(policy_of, dtype), torch.Generator().manual_seed(5)
    book = Textbook(state, losses, RATES)
    start = flat(state)
    steps = 6 if dtype is torch.float64 else 3
    for step in range(steps):
        batch, noise = drawn(dtype, 3, 4, losses.target.heads.size, rng)
        train_actor = step > 0  # the first block fits the critics only
        update_block(losses, state, batch, noise, coefficients_of(dtype), train_actor)
        book.block(batch, noise, train_actor)
    ours, theirs = flat(state), book.flat()
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() <= tolerance * expected.norm(), name
        assert (expected - start[name]).norm() > 1e-3 * expected.norm(), f"{name} hardly moved"


def test_textbook_sac_is_two_critics_and_their_minimum(policy_of):
    """Two critics, the smaller of both in target and actor loss, one update per step: SAC as published."""
    losses = losses_of(size=2, entropy_backup=True, value="min", bounds=(float("-inf"), float("inf")))
    state, rng = state_of(policy_of, torch.float64, members=2), torch.Generator().manual_seed(6)
    book = Textbook(state, losses, RATES)
    for _ in range(8):
        batch, noise = drawn(torch.float64, 1, 2, 2, rng)
        update_block(losses, state, batch, noise, coefficients_of(torch.float64), True)
        book.block(batch, noise, True)
    ours, theirs = flat(state), book.flat()
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() <= 1e-9 * expected.norm(), name
