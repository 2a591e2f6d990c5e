"""Steps of Adam on some of the weights that a loss depends on."""

from itertools import pairwise

import pytest
import torch

from porl_robot.policy.descent import Descent


def descended(steps, decay=None):
    """The weight 1 after `steps` down the gradient of its double, and how far each took it."""
    weight = torch.ones(1)
    descent, path = Descent([weight], 0.1, decay), [1.0]
    for _ in range(steps):
        descent.step(2.0 * weight.sum())
        path.append(weight.item())
    return [before - after for before, after in pairwise(path)]


def test_a_constant_slope_gives_steps_of_the_learning_rate():
    assert descended(5) == pytest.approx([0.1] * 5, rel=1e-5)


def test_the_rate_decays_to_zero():
    assert descended(6, decay=5) == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02, 0.0], abs=1e-6)


def test_what_the_loss_does_not_depend_on_stays():
    used, unused, not_given = (torch.ones(2, requires_grad=True) for _ in range(3))
    descent = Descent([used, unused], 0.1)
    for _ in range(3):
        descent.step((used * not_given).sum())
    assert torch.equal(unused, torch.ones(2)) and torch.equal(not_given, torch.ones(2))
    assert used.tolist() == pytest.approx([0.7, 0.7], rel=1e-5)
