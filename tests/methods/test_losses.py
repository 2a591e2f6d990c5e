"""The losses of critics and actor, and the anchor."""

import math

import numpy as np
import pytest
import torch

from porl_robot.methods import actor_losses, critic_losses
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.networks import Context
from porl_robot.methods.schedules import Constant
from porl_robot.policy.network import to_parameters
from porl_robot.policy.spec import Policy, PolicySpec, weight_shapes
from porl_robot.replay.buffer import Batch

VALUES = torch.tensor([[1.0, -2.0, 4.0], [3.0, -5.0, 0.5]])
CONTEXT = Context((float("-inf"), float("inf")))
ROWS = Batch(torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3), torch.ones(3), torch.zeros(3))


@pytest.fixture
def critics_say(monkeypatch):
    """Gives every critic loss and actor loss the values (E, B) it is called with."""

    def say(values):
        for module in (actor_losses, critic_losses):
            monkeypatch.setattr(module, "action_values", lambda critics, observations, actions: values)

    return say


@pytest.fixture
def actor_samples(monkeypatch):
    """Lets the actor sample actions of these log-densities (B,)."""

    def sample(log_prob):
        drawn = torch.zeros(1, len(log_prob), 1), log_prob[None]
        monkeypatch.setattr(actor_losses, "sampled_actions", lambda actor, observations, noise: drawn)

    return sample


def actor_loss(value, alpha):
    networks = {"actor": {}, "critics": {}, "temperature": {"log_alpha": torch.tensor(alpha).log()}}
    return SoftActorCritic(value)(networks, ROWS, {"action": None}, CONTEXT)


def test_every_critic_gets_the_gradient_it_would_get_alone(critics_say):
    targets = torch.tensor([0.5, 1.0, -2.0])
    together = VALUES.clone().requires_grad_()
    critics_say(together)
    loss = TemporalDifference()({"critics": {}}, ROWS, {"critics": targets}, {}, CONTEXT)
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
def test_actor_loss_is_the_mean_of_alpha_log_pi_minus_q(critics_say, actor_samples, value, aggregate):
    log_prob, alpha = [0.3, -1.2, 2.0], 0.2
    critics_say(VALUES)
    actor_samples(torch.tensor(log_prob))
    terms = actor_loss(value, alpha)
    expected = sum(alpha * lp - q for lp, q in zip(log_prob, aggregate, strict=True)) / 3
    assert terms.loss.item() == pytest.approx(expected)
    assert terms.log_prob.tolist() == pytest.approx(log_prob)


def test_minimum_sends_its_gradient_to_the_smallest_member_only(critics_say, actor_samples):
    values = VALUES.clone().requires_grad_()
    critics_say(values)
    actor_samples(torch.zeros(3))
    actor_loss("min", 0.1).loss.backward()
    assert torch.allclose(values.grad, torch.tensor([[-1 / 3, 0, 0], [0, -1 / 3, -1 / 3]]))


def test_unknown_aggregate_is_refused():
    with pytest.raises(ValueError, match=r"actor_loss\.value 'median'"):
        SoftActorCritic("median")


def acting(bias):
    """A policy without hidden layers whose mean before the tanh is its two observations plus `bias`."""
    spec = PolicySpec("toy", 2, 2, 20.0, ())
    weights = {name: np.zeros(shape, "f4") for name, shape in weight_shapes(spec).items()}
    weights["observation.std"] += 1.0
    weights["mean.weight"] += np.eye(2, dtype="f4")
    weights["mean.bias"] += np.array(bias, "f4")
    return to_parameters(Policy(spec, weights))


def test_anchor_is_the_mean_squared_distance_of_modes_summed_over_dimensions():
    anchor, observations, bias = ModeDistance(Constant(1.0)), torch.tensor([[0.5, -1.0], [0.0, 30.0]]), (0.25, 2.0)
    expected = [
        sum((math.tanh(m) - math.tanh(m + b)) ** 2 for m, b in zip(row, bias, strict=True))
        for row in observations.tolist()
    ]
    actor, reference = acting((0.0, 0.0)), acting(bias)
    for row, distance in zip(observations, expected, strict=True):
        assert anchor({"actor": actor, "reference": reference}, row[None]).item() == pytest.approx(distance)
    together = anchor({"actor": actor, "reference": reference}, observations)
    assert together.item() == pytest.approx(sum(expected) / 2)
    assert anchor({"actor": actor, "reference": actor}, observations).item() == 0.0


def test_anchor_pulls_the_actor_and_leaves_the_reference():
    actor, reference = acting((0.0, 0.0)), acting((0.5, 0.5))
    for parameters in (actor, reference):
        for tensor in parameters.values():
            tensor.requires_grad_()
    ModeDistance(Constant(1.0))({"actor": actor, "reference": reference}, torch.zeros(4, 2)).backward()
    assert (actor["mean.bias"].grad < 0).all()
    assert all(tensor.grad is None for tensor in reference.values())
