"""CQL and Cal-QL against the definition, one row, one critic and one action at a time."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from porl_robot.learner.optimizer import Moments
from porl_robot.learner.state import LearnerState
from porl_robot.learner.update import step_groups
from porl_robot.methods.conservative import Conservative
from porl_robot.methods.critics import random_critics
from porl_robot.methods.networks import Context, Shape
from porl_robot.policy.network import distribution, random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch

D, A, B, E, N = 3, 2, 7, 3, 4
CONTEXT = Context((-50.0, 0.0))
UNKNOWN = float("-inf")


def scene(dtype=torch.float64, returns=UNKNOWN, samples=N):
    """Networks with gradients, normalised rows, targets and noise."""
    rng = torch.Generator().manual_seed(3)
    spec = PolicySpec("toy", D, A, 20.0, (6,))
    networks = {
        "actor": random_parameters(spec, rng),
        "critics": random_critics(E, D + A, (9, 8), rng, output_bias=-2.0),
        "conservatism": {"log_weight": torch.tensor(1.0)},
    }
    networks["critics"]["w_out"] *= 3.0
    networks = {
        group: {name: tensor.to(dtype).requires_grad_() for name, tensor in tensors.items()}
        for group, tensors in networks.items()
    }

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=dtype)

    rows = Batch(
        normal(B, D), normal(B, A).tanh(), normal(B, D), -normal(B).abs(), torch.full((B,), 0.9, dtype=dtype),
        torch.full((B,), returns, dtype=dtype),
    )  # fmt: skip
    drawn = Conservative(samples=samples).draw(Shape(1, B, A, E), rng)
    return networks, rows, {"critics": normal(B) - 2.0}, {name: tensor[0].to(dtype) for name, tensor in drawn.items()}


def gradients(loss, tensors):
    return torch.autograd.grad(loss, list(tensors.values()), retain_graph=True)


def module(critics, member):
    layers = []
    for i in range(2):
        linear = nn.Linear(*critics[f"w{i}"].shape[1:]).to(critics["w0"].dtype)
        linear.weight, linear.bias = (nn.Parameter(critics[f"{k}{i}"][member].T.squeeze(1).detach()) for k in "wb")
        layers += [linear, nn.LayerNorm(linear.out_features, elementwise_affine=False), nn.ReLU()]
    last = nn.Linear(critics["w_out"].shape[2], 1).to(critics["w0"].dtype)
    last.weight, last.bias = (nn.Parameter(critics[f"{k}_out"][member].detach()) for k in "wb")
    return nn.Sequential(*layers, last)


def log_density(actor, observation, action):
    mean, log_std = distribution(actor, observation[None])
    base = torch.distributions.Normal(mean[0].detach(), log_std[0].exp().detach())
    squashed = torch.distributions.TransformedDistribution(base, torch.distributions.TanhTransform())
    return squashed.log_prob(action).sum()


def by_hand(scene, weight, calibrated, floor=-200.0, clamp_last=False):
    """The loss of each member, from torch's own modules, and those modules."""
    networks, rows, targets, noise = scene
    losses, modules = [], [module(networks["critics"], e) for e in range(E)]
    for critic in modules:
        terms = []
        for b in range(B):
            state = rows.observation[b]

            def value(action, state=state, critic=critic):
                return critic(torch.cat([state, action]))[0]

            exponents = []
            for n in range(N):
                exponents.append(value(noise["uniform"][n, b]) - math.log(0.5**A))
                for kind, at in (("now", state), ("next", rows.next_observation[b])):
                    mean, log_std = distribution(networks["actor"], at[None])
                    action = (mean[0] + log_std[0].exp() * noise[kind][n, b]).tanh().detach()
                    bound = rows.returns[b] if calibrated else torch.tensor(UNKNOWN, dtype=rows.returns.dtype)
                    density = log_density(networks["actor"], at, action)
                    if clamp_last:
                        exponents.append(torch.maximum(value(action) - density, bound))
                    else:
                        exponents.append(torch.maximum(value(action), bound) - density)
            data = value(rows.action[b])
            excess = torch.stack(exponents).exp().sum().log() - data
            terms.append((data - targets["critics"][b]) ** 2 + weight * excess.clamp(min=floor))
        losses.append(torch.stack(terms).mean())
    return sum(losses), modules


def assert_same_gradients(scene, loss, expected, modules):
    ours = dict(zip(scene[0]["critics"], gradients(loss, scene[0]["critics"]), strict=True))
    expected.backward()
    for e, each in enumerate(modules):
        theirs = {"w0": each[0].weight.grad.T, "w1": each[3].weight.grad.T, "w_out": each[6].weight.grad}
        for name, gradient in theirs.items():
            assert torch.allclose(ours[name][e], gradient, rtol=1e-7, atol=1e-10), name


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize(("returns", "floor"), [(-2.0, -200.0), (-2.0, 3.0), (UNKNOWN, -200.0)])
def test_loss_equals_the_definition(calibrated, returns, floor):
    given = scene(returns=returns)
    loss = Conservative(0.7, N, calibrated, floor=floor)(*given[:2], given[2], given[3], CONTEXT)
    expected, modules = by_hand(given, 0.7, calibrated, floor)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    assert_same_gradients(given, loss, expected, modules)
    if returns > UNKNOWN and floor < 0.0:
        other, _ = by_hand(given, 0.7, not calibrated, floor)
        assert abs(other.item() - loss.item()) > 1e-3, "the return should bind somewhere"


def test_clamp_comes_before_the_log_density():
    given = scene(returns=-2.0)
    loss = Conservative(1.0, N, True)(*given, CONTEXT).item()
    assert loss == pytest.approx(by_hand(given, 1.0, True)[0].item(), rel=1e-9)
    assert abs(loss - by_hand(given, 1.0, True, clamp_last=True)[0].item()) > 1e-2


def test_without_returns_it_is_cql_bit_for_bit():
    given = scene(torch.float32)
    calibrated, plain = (Conservative(1.0, N, kind)(*given, CONTEXT) for kind in (True, False))
    assert torch.equal(calibrated, plain)
    for one, other in zip(*(gradients(loss, given[0]["critics"]) for loss in (calibrated, plain)), strict=True):
        assert torch.equal(one, other)


def test_far_below_the_return_of_the_data_nothing_is_pushed_down():
    """The actor's values all count as the return: what is left pulls up the data's own actions."""
    given = scene(returns=1e3)
    networks, rows, targets, _ = given
    loss = Conservative(1.0, N, True)(*given, CONTEXT)
    modules = [module(networks["critics"], e) for e in range(E)]
    values = [critic(torch.cat([rows.observation, rows.action], 1))[:, 0] for critic in modules]
    left = sum(((value - targets["critics"]) ** 2).mean() - value.mean() for value in values)
    assert_same_gradients(given, loss, left, modules)


def test_uniform_actions_are_never_clamped():
    """A return just above all values: the actor's terms lose their gradient, the uniform ones keep theirs."""
    given = scene(returns=5.0)
    networks = given[0]
    assert max(abs(tensor).sum() for tensor in networks["critics"].values()) > 0
    noise = given[3]["uniform"].clone().requires_grad_()
    loss = Conservative(1.0, N, True)(*given[:3], given[3] | {"uniform": noise}, CONTEXT)
    (slope,) = torch.autograd.grad(loss, noise, retain_graph=True)
    assert (slope.abs().sum(-1) > 0).all()
    expected, modules = by_hand(given, 1.0, True)
    assert_same_gradients(given, loss, expected, modules)


def test_actor_gets_no_gradient():
    given = scene(returns=-2.0)
    loss = Conservative(1.0, N, True)(*given, CONTEXT)
    slopes = torch.autograd.grad(loss, list(given[0]["actor"].values()), allow_unused=True)
    assert all(slope is None for slope in slopes)


def test_floor_bounds_what_is_asked_for():
    """With the floor above every difference only the error is left to learn from."""
    given = scene(returns=-2.0)
    loss = Conservative(2.0, N, True, floor=1e3)(*given, CONTEXT)
    plain = Conservative(0.0, N, True)(*given, CONTEXT)
    assert loss.item() == pytest.approx(plain.item() + E * 2.0 * 1e3)
    for one, other in zip(*(gradients(each, given[0]["critics"]) for each in (loss, plain)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("gap", [-3.0, 0.5])
def test_lagrange_coefficient_weighs_the_term_and_stays_out_of_the_critics_gradient(gap):
    given = scene(returns=-2.0)
    lagrange = Conservative(0.7, N, True, gap=gap)(*given, CONTEXT)
    fixed = Conservative(0.7 * math.e, N, True)(*given, CONTEXT)
    for one, other in zip(*(gradients(each, given[0]["critics"]) for each in (lagrange, fixed)), strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("gap", "direction"), [(-5.0, 1), (50.0, -1)])
def test_lagrange_coefficient_rises_exactly_while_the_excess_is_above_the_gap(gap, direction):
    given, loss = scene(returns=-2.0), Conservative(1.0, N, True, gap=gap)
    groups = ("critics", "conservatism")
    state = LearnerState(given[0], {group: Moments.zeros(given[0][group].values()) for group in groups})
    before = [1.0]
    assert loss.trains == groups and loss.networks == ("conservatism",)
    for _ in range(5):
        value = loss(*given, CONTEXT)
        step_groups(state, groups, value, torch.tensor(1e-3, dtype=torch.float64))
        before.append(given[0]["conservatism"]["log_weight"].item())
    assert all(direction * (after - now) > 0 for now, after in pairwise(before))


def test_the_coefficient_is_bounded():
    given = scene(returns=-2.0)
    with torch.no_grad():
        given[0]["conservatism"]["log_weight"].fill_(80.0)
    one = gradients(Conservative(1.0, N, True, gap=-5.0)(*given, CONTEXT), given[0]["critics"])
    other = gradients(Conservative(1e6, N, True)(*given, CONTEXT), given[0]["critics"])
    assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("values", [{"samples": 0}, {"weight": -1.0}, {"weight": float("nan")}])
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=r"critic_loss\."):
        Conservative(**values)
