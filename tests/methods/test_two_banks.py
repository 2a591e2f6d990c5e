"""OPT: the critics' meta adaptation and their blend with the offline ones, against plain modules and autograd."""

import pytest
import torch
from torch import nn

from porl_robot.methods.actor_losses import DeterministicPolicy
from porl_robot.methods.critic_losses import MetaAdaptation, TemporalDifference, TwoBanks
from porl_robot.methods.critics import action_values
from porl_robot.methods.schedules import Constant
from porl_robot.policy.network import distribution

from .scene import CONTEXT, B, E, assert_close, context, scene, slopes


def module(critics, member):
    layers = []
    for i in range(2):
        linear = nn.Linear(*critics[f"w{i}"].shape[1:]).double()
        linear.weight = nn.Parameter(critics[f"w{i}"][member].detach().T.clone())
        linear.bias = nn.Parameter(critics[f"b{i}"][member, 0].detach().clone())
        layers += [linear, nn.LayerNorm(linear.out_features, elementwise_affine=False), nn.ReLU()]
    last = nn.Linear(critics["w_out"].shape[2], 1).double()
    last.weight, last.bias = (nn.Parameter(critics[f"{k}_out"][member].detach().clone()) for k in "wb")
    return nn.Sequential(*layers, last)


def halves_by_hand(parameters, modules, rows, target, part):
    """Errors of every member over a part of the rows, by `torch.func`."""
    inputs = torch.cat([rows.observation, rows.action], 1)[part]
    return sum(
        ((torch.func.functional_call(each, weights, inputs)[:, 0] - target[part]) ** 2).mean()
        for each, weights in zip(modules, parameters, strict=True)
    )


def meta_by_hand(networks, rows, target, rate):
    """Inner loss, outer loss and the weight between them, for parameters that carry gradients."""
    modules = [module(networks["critics"], e) for e in range(E)]
    parameters = [dict(each.named_parameters()) for each in modules]
    old, new = slice(0, B // 2), slice(B // 2, B)
    inner = halves_by_hand(parameters, modules, rows, target, old)
    steps = torch.autograd.grad(inner, [w for ws in parameters for w in ws.values()], create_graph=True)
    steps = iter(steps)
    moved = [{name: weight - rate * next(steps) for name, weight in weights.items()} for weights in parameters]
    outer = halves_by_hand(moved, modules, rows, target, new)
    weight = min(inner.item(), outer.item()) / outer.item()
    return inner + weight * outer, modules, (inner, outer, weight)


def assert_meta(networks, loss, expected, modules):
    ours = slopes(loss, networks, "critics")
    for e, each in enumerate(modules):
        found = torch.autograd.grad(expected, list(each.parameters()), retain_graph=True)
        names = ("w0", "b0", "w1", "b1", "w_out", "b_out")
        for name, slope in zip(names, found, strict=True):
            mine = ours[name][e].T if name in ("w0", "w1") else ours[name][e]
            assert torch.allclose(mine.flatten(), slope.flatten(), rtol=1e-6, atol=1e-9), name


@pytest.mark.parametrize("rate", [0.0, 3e-4, 0.05])
@pytest.mark.parametrize("seed", [0, 1])
def test_meta_adaptation_is_of_second_order(rate, seed):
    networks, rows, targets, _ = scene(seed)
    loss = MetaAdaptation(rate)(networks, rows, targets, {}, CONTEXT)
    expected, modules, _ = meta_by_hand(networks, rows, targets["critics"], rate)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    assert_meta(networks, loss, expected, modules)


def test_the_second_order_term_is_there():
    """With the inner gradient taken as a constant, the gradient is another one."""
    networks, rows, targets, _ = scene()
    ours = slopes(MetaAdaptation(0.05)(networks, rows, targets, {}, CONTEXT), networks, "critics")
    critics = networks["critics"]
    error = (action_values(critics, rows.observation, rows.action) - targets["critics"]).square()
    inner = error[:, : B // 2].mean(1).sum()
    steps = slopes(inner, networks, "critics")
    moved = {name: weight - 0.05 * steps[name].detach() for name, weight in critics.items()}
    outer = (action_values(moved, rows.observation, rows.action) - targets["critics"]).square()[:, B // 2 :]
    outer = outer.mean(1).sum()
    first = slopes(inner + (torch.minimum(inner, outer) / outer).detach() * outer, networks, "critics")
    assert (ours["w0"] - first["w0"]).abs().max() > 1e-3


def test_without_an_inner_step_it_is_two_weighted_errors():
    """The first half of the rows are the offline ones; the larger online error weighs less."""
    networks, rows, targets, _ = scene()
    far = targets["critics"].clone()
    far[B // 2 :] += 5.0
    for target in (targets["critics"], far, far.flip(0)):
        loss = MetaAdaptation(0.0)(networks, rows, {"critics": target}, {}, CONTEXT)
        error = (action_values(networks["critics"], rows.observation, rows.action) - target).square()
        offline, online = error[:, : B // 2].mean(1).sum(), error[:, B // 2 :].mean(1).sum()
        weight = min(offline.item(), online.item()) / online.item()
        assert loss.item() == pytest.approx((offline + weight * online).item())
        assert_close(slopes(loss, networks, "critics"), slopes(offline + weight * online, networks, "critics"))


def test_both_banks_learn_from_their_own_targets():
    networks, rows, targets, _ = scene()
    loss = TwoBanks()(networks, rows, targets, {}, CONTEXT)
    for bank in ("critics", "offline_critics"):
        alone = TemporalDifference()(
            networks | {"critics": networks[bank]}, rows, {"critics": targets[bank]}, {}, CONTEXT
        )
        assert_close(slopes(loss, networks, bank), slopes(alone, networks, bank))


@pytest.mark.parametrize(("share", "bank"), [(0.0, "offline_critics"), (1.0, "critics")])
def test_blend_ends_give_the_gradient_of_one_critic(share, bank):
    networks, rows, _, noise = scene()
    blended = DeterministicPolicy(normalise=False, blend=Constant(share))
    loss = blended(networks, rows, noise, context(blend=share)).loss
    action = distribution(networks["actor"], rows.observation)[0].tanh()
    alone = -action_values(networks[bank], rows.observation, action)[0].mean()
    assert_close(slopes(loss, networks, "actor"), slopes(alone, networks, "actor"))


def test_blend_between_is_between():
    networks, rows, _, noise = scene()
    loss = DeterministicPolicy(blend=Constant(0.3))(networks, rows, noise, context(blend=0.3)).loss
    action = distribution(networks["actor"], rows.observation)[0].tanh()
    old, new = (action_values(networks[b], rows.observation, action)[0] for b in ("offline_critics", "critics"))
    value = 0.7 * old + 0.3 * new
    expected = -value.mean() / value.abs().mean().detach()
    assert_close(slopes(loss, networks, "actor"), slopes(expected, networks, "actor"))
