"""TD3's actor loss, with cloning and with the speed limit: against loops and autograd."""

import math

import pytest
import torch
from torch import nn

from porl_robot.learner.optimizer import Moments
from porl_robot.learner.state import LearnerState, trained
from porl_robot.learner.update import step_groups
from porl_robot.methods.actor_losses import DeterministicPolicy
from porl_robot.methods.anchors import DataCloning, SpeedLimit
from porl_robot.methods.critics import action_values
from porl_robot.methods.schedules import Constant
from porl_robot.policy.network import distribution

from .scene import A, B, assert_close, context, scene, silent, slopes


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("value", ["mean", "min"])
def test_td3_with_cloning_equals_the_definition(value, normalise):
    networks, rows, _, noise = scene()
    rule = DeterministicPolicy(value, normalise, DataCloning(Constant(0.4)))
    loss = rule(networks, rows, noise, context(cloning=0.4)).loss
    action = distribution(networks["actor"], rows.observation)[0].tanh()
    each = [action_values(networks["critics"], rows.observation[b][None], action[b][None])[:, 0] for b in range(B)]
    worth = [q.mean() if value == "mean" else q.min() for q in each]
    scale = sum(abs(q.item()) for q in worth) / B if normalise else 1.0
    distance = sum((action[b, a] - rows.action[b, a]) ** 2 for b in range(B) for a in range(A)) / (A * B)
    expected = -sum(worth) / B / scale + 0.4 * distance
    assert_close(slopes(loss, networks, "actor"), slopes(expected, networks, "actor"))


def stepping(networks, rule, rows, noise, weights, steps, rate=1e-2):
    """The networks' state after some updates of the actor loss alone, step by step."""
    state = LearnerState(networks, {group: Moments.zeros(trained(group, networks).values()) for group in rule.trains})
    for _ in range(steps):
        loss = rule(networks, rows, noise, weights).loss
        step_groups(state, rule.trains, loss, torch.tensor(rate, dtype=torch.float64))
        yield networks


def test_log_std_head_rests_bit_for_bit():
    networks, rows, _, noise = scene()
    rule = DeterministicPolicy("min", True, DataCloning(Constant(0.4)), SpeedLimit(0.1))
    before = {name: tensor.detach().clone() for name, tensor in networks["actor"].items()}
    for _ in stepping(networks, rule, rows, noise, context(cloning=0.4), 20):
        pass
    for name, tensor in networks["actor"].items():
        assert torch.equal(tensor, before[name]) == name.startswith(("log_std", "observation")), name


def excess(networks, rows, radius):
    modes = [distribution(networks[name], rows.observation)[0].tanh() for name in ("actor", "average")]
    return ((modes[0] - modes[1].detach()) ** 2).mean() / radius**2 - 1.0


@pytest.mark.parametrize("broken", [True, False])
def test_multiplier_rises_exactly_while_the_limit_is_broken(broken):
    networks, rows, _, noise = scene()
    radius = 0.02 if broken else 2.0
    rule = DeterministicPolicy(speed_limit=SpeedLimit(radius, gain=5.0))
    assert (excess(networks, rows, radius).item() > 0) == broken
    before = networks["multiplier"]["log_weight"].item()
    for now in stepping(networks, rule, rows, noise, context(), 5, rate=1e-3):
        after = now["multiplier"]["log_weight"].item()
        assert (after - before) * (1 if broken else -1) > 0
        before = after


def test_actor_sees_the_multiplier_as_a_constant():
    networks, rows, _, noise = scene()
    with torch.no_grad():
        networks["multiplier"]["log_weight"].fill_(0.3)
    at = torch.tensor(5.0 * 0.3 + math.log(math.e - 1.0), dtype=torch.float64)
    factor = nn.functional.softplus(at).item()
    limited = DeterministicPolicy(speed_limit=SpeedLimit(0.1, gain=5.0))(networks, rows, noise, context()).loss
    free = DeterministicPolicy()(networks, rows, noise, context()).loss
    expected = free + factor * excess(networks, rows, 0.1)
    assert_close(slopes(limited, networks, "actor"), slopes(expected, networks, "actor"))
    rising = slopes(limited, networks, "multiplier")["log_weight"].item()
    slope = 5.0 * torch.sigmoid(at).item()
    assert rising == pytest.approx(-slope * excess(networks, rows, 0.1).item(), rel=1e-6)
    assert silent(limited, networks, "average")


@pytest.mark.parametrize(("make", "words"), [
    (lambda: DeterministicPolicy("median"), "actor_loss.value"),
    (lambda: SpeedLimit(0.0), "speed_limit.radius"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
