"""The losses of critics and actor, and the anchor."""

import math

import pytest
import torch

from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.schedules import Constant

VALUES = torch.tensor([[1.0, -2.0, 4.0], [3.0, -5.0, 0.5]])


def test_every_critic_gets_the_gradient_it_would_get_alone():
    targets = torch.tensor([0.5, 1.0, -2.0])
    together = VALUES.clone().requires_grad_()
    loss = TemporalDifference()(together, targets)
    loss.backward()
    alone = 0.0
    for member in range(2):
        values = VALUES[member].clone().requires_grad_()
        own = torch.nn.functional.mse_loss(values, targets)
        own.backward()
        alone += own.item()
        assert torch.allclose(together.grad[member], values.grad)
    assert loss.item() == pytest.approx(alone)


@pytest.mark.parametrize(("value", "aggregate"), [("mean", [2.0, -3.5, 2.25]), ("min", [1.0, -5.0, 0.5])])
def test_actor_loss_is_the_mean_of_alpha_log_pi_minus_q(value, aggregate):
    log_prob, alpha = [0.3, -1.2, 2.0], 0.2
    loss = SoftActorCritic(value)(VALUES, torch.tensor(log_prob), torch.tensor(alpha))
    expected = sum(alpha * lp - q for lp, q in zip(log_prob, aggregate, strict=True)) / 3
    assert loss.item() == pytest.approx(expected)


def test_minimum_sends_its_gradient_to_the_smallest_member_only():
    values = VALUES.clone().requires_grad_()
    SoftActorCritic("min")(values, torch.zeros(3), torch.tensor(0.1)).backward()
    assert torch.allclose(values.grad, torch.tensor([[-1 / 3, 0, 0], [0, -1 / 3, -1 / 3]]))


def test_unknown_aggregate_is_refused():
    with pytest.raises(ValueError, match=r"actor_loss\.value 'median'"):
        SoftActorCritic("median")


def test_anchor_is_the_squared_distance_of_modes_summed_over_dimensions():
    anchor = ModeDistance(Constant(1.0))
    mean, reference = torch.tensor([[0.5, -1.0], [0.0, 30.0]]), torch.tensor([[0.5, 1.0], [2.0, 40.0]])
    expected = [
        sum((math.tanh(m) - math.tanh(r)) ** 2 for m, r in zip(*pair, strict=True))
        for pair in zip(mean.tolist(), reference.tolist(), strict=True)
    ]
    assert anchor(mean, reference).tolist() == pytest.approx(expected)
    assert anchor(mean, mean).tolist() == [0.0, 0.0]
