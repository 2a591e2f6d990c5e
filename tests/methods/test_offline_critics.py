"""What critics and actors of the offline methods are fitted to: against loops, plain modules, and autograd."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from porl_robot.learner.optimizer import Moments
from porl_robot.learner.state import LearnerState, trained
from porl_robot.learner.update import step_groups
from porl_robot.methods.actor_losses import AdvantageWeighted, DeterministicPolicy
from porl_robot.methods.anchors import DataCloning, SpeedLimit
from porl_robot.methods.critic_losses import (
    Expectile,
    MetaAdaptation,
    TemporalDifference,
    TwoBanks,
    UncertaintyWeighted,
    WithReferenceValue,
)
from porl_robot.methods.critics import action_values, random_critics, values
from porl_robot.methods.networks import Context
from porl_robot.methods.schedules import Constant
from porl_robot.policy.network import distribution, random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch

D, A, B, E = 3, 2, 8, 2
CONTEXT = Context((-30.0, 0.0))
ACTORS = ("actor", "reference", "average")
CRITICS = ("critics", "targets", "offline_critics")


def scene(seed=0):
    """Networks with gradients in double precision, normalised rows, and targets of either bank."""
    rng = torch.Generator().manual_seed(seed)
    networks = {name: random_parameters(PolicySpec("toy", D, A, 20.0, (6,)), rng) for name in ACTORS}
    networks |= {name: random_critics(E, D + A, (9, 8), rng, output_bias=-2.0) for name in CRITICS}
    networks |= {name: random_critics(1, D, (7, 6), rng, output_bias=-2.0) for name in ("value", "reference_value")}
    networks["multiplier"] = {"log_weight": torch.tensor(0.0)}
    networks = {
        group: {name: (2.0 * tensor if "mean" in name else tensor).double().requires_grad_()
                for name, tensor in tensors.items()}
        for group, tensors in networks.items()
    }  # fmt: skip

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    rows = Batch(normal(B, D), normal(B, A).tanh(), normal(B, D), -normal(B).abs(), torch.full((B,), 0.9).double(),
                 normal(B) - 2.0)  # fmt: skip
    with torch.no_grad():  # V among the values, so that advantages have either sign
        for group in (*CRITICS, "value"):
            networks[group]["w_out"] *= 4.0
        worth = action_values(networks["targets"], rows.observation, rows.action).amin(0)
        networks["value"]["b_out"] += (worth - values(networks["value"], rows.observation)[0]).mean()
    noise = {"action": normal(1, B, A), "choice": torch.rand(B, generator=rng).double()}
    return networks, rows, {"critics": normal(B) - 2.0, "offline_critics": normal(B) - 2.0}, noise


def context(**weights):
    return Context((-30.0, 0.0), {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()})


def slopes(loss, networks, group):
    """Gradients of a group by name; zero where it has none."""
    tensors = networks[group]
    found = torch.autograd.grad(loss, list(tensors.values()), retain_graph=True, allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(tensors.items(), found, strict=True)}


def silent(loss, networks, group):
    return all((slope == 0).all() for slope in slopes(loss, networks, group).values())


def assert_close(ours, theirs):
    for name, slope in theirs.items():
        assert torch.allclose(ours[name], slope, rtol=1e-7, atol=1e-11), name
    assert any((slope != 0).any() for slope in theirs.values())


# OPT.


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


# IQL and AWAC.


@pytest.mark.parametrize("expectile", [0.5, 0.8])
def test_value_is_regressed_by_expectile_on_the_smaller_target(expectile):
    networks, rows, targets, _ = scene()
    loss = Expectile(expectile)(networks, rows, targets, {}, CONTEXT)
    terms, above = [], 0
    for b in range(B):
        q = min(action_values(networks["targets"], rows.observation[b][None], rows.action[b][None])[:, 0].tolist())
        gap = q - values(networks["value"], rows.observation[b][None])[0, 0]
        above += gap.item() > 0
        terms.append((expectile if gap.item() > 0 else 1 - expectile) * gap**2)
    assert 0 < above < B
    assert_close(slopes(loss, networks, "value"), slopes(sum(terms) / B, networks, "value"))


def test_the_middle_expectile_is_the_mean():
    """Half the squared error: V goes to the mean, a high expectile to nearly the largest value."""
    networks, rows, targets, _ = scene()
    target = action_values(networks["targets"], rows.observation, rows.action).amin(0).detach()
    loss = Expectile(0.5)(networks, rows, targets, {}, CONTEXT)
    plain = 0.5 * nn.functional.mse_loss(values(networks["value"], rows.observation)[0], target)
    assert_close(slopes(loss, networks, "value"), slopes(plain, networks, "value"))


def test_value_and_critics_leave_each_other_alone():
    """Q's error and V's error move their own groups only; neither moves targets."""
    networks, rows, targets, _ = scene()
    both = Expectile(0.8)(networks, rows, targets, {}, CONTEXT)
    assert_close(
        slopes(both, networks, "critics"),
        slopes(TemporalDifference()(networks, rows, targets, {}, CONTEXT), networks, "critics"),
    )
    other = Expectile(0.8)(networks, rows, {"critics": targets["critics"] + 7.0}, {}, CONTEXT)
    assert_close(slopes(other, networks, "value"), slopes(both, networks, "value"))
    assert silent(both, networks, "targets") and silent(both, networks, "actor")


def weights_by_hand(networks, rows, noise, temperature, baseline, largest):
    weights = []
    for b in range(B):
        state, action = rows.observation[b][None], rows.action[b][None]
        q = min(action_values(networks["targets"], state, action)[:, 0].tolist())
        if baseline == "value":
            v = values(networks["value"], state)[0, 0].item()
        else:
            mean, log_std = distribution(networks["actor"], state)
            own = (mean + log_std.exp() * noise["action"][0, b]).tanh()
            v = min(action_values(networks["targets"], state, own)[:, 0].tolist())
        weights.append(min(math.exp((q - v) / temperature), largest))
    return torch.tensor(weights, dtype=torch.float64)


@pytest.mark.parametrize("baseline", ["value", "policy"])
@pytest.mark.parametrize(("temperature", "largest"), [(1.0, 100.0), (0.05, 3.0)])
def test_actor_imitates_by_clipped_advantage(baseline, temperature, largest):
    networks, rows, _, noise = scene()
    rule = AdvantageWeighted(temperature, baseline, largest_weight=largest)
    terms = rule(networks, rows, noise, CONTEXT)
    weights = weights_by_hand(networks, rows, noise, temperature, baseline, largest)
    if largest == 3.0:
        assert (weights == 3.0).any() and (weights < 3.0).any()
    mean, log_std = distribution(networks["actor"], rows.observation)
    base = torch.distributions.Normal(mean, log_std.exp())
    squashed = torch.distributions.TransformedDistribution(base, torch.distributions.TanhTransform())
    expected = -(weights * squashed.log_prob(rows.action).sum(1)).mean()
    assert terms.loss.item() == pytest.approx(expected.item(), rel=1e-6) and terms.log_prob is None
    ours, theirs = slopes(terms.loss, networks, "actor"), slopes(expected, networks, "actor")
    for name, slope in theirs.items():
        assert torch.allclose(ours[name], slope, rtol=1e-5, atol=1e-8), name
    assert all(silent(terms.loss, networks, group) for group in ("targets", "value", "critics"))


def test_nothing_is_sampled_where_nothing_looks_at_it():
    networks, rows, _, noise = scene()
    rule = AdvantageWeighted(1.0, "value")
    assert torch.equal(rule(networks, rows, {}, CONTEXT).loss, rule(networks, rows, noise, CONTEXT).loss)


@pytest.mark.parametrize("inverse_temperature", [0.0, 1e6])
def test_composite_proposals_are_the_reference_s_mode_or_a_sample(inverse_temperature):
    networks, rows, _, noise = scene(seed=4)
    rule = AdvantageWeighted(1.0, "value", "composite", inverse_temperature)
    mean, log_std = distribution(networks["actor"], rows.observation)
    own = (mean + log_std.exp() * noise["action"][0]).tanh().detach()
    other = distribution(networks["reference"], rows.observation)[0].tanh().detach()
    worth = [action_values(networks["targets"], rows.observation, each).amin(0) for each in (own, other)]
    better = noise["choice"] < 0.5 if inverse_temperature == 0.0 else worth[1] > worth[0]
    assert better.any() and not better.all()
    proposed = torch.where(better[:, None], other, own)
    ours = rule(networks, rows, noise, CONTEXT).loss
    plain = AdvantageWeighted(1.0, "value")(networks, dataclasses.replace(rows, action=proposed), noise, CONTEXT).loss
    assert torch.equal(ours, plain)


# ENOTO and Q2RL.


@pytest.mark.parametrize(("bounds", "span"), [((-30.0, 0.0), 30.0), ((float("-inf"), float("inf")), 1.0)])
def test_uncertain_rows_count_less(bounds, span):
    networks, rows, targets, _ = scene()
    loss = UncertaintyWeighted(10.0)(networks, rows, targets, {}, Context(bounds))
    expected, weights = 0.0, []
    for b in range(B):
        state, action = rows.observation[b][None], rows.action[b][None]
        spread = torch.std(action_values(networks["targets"], state, action)[:, 0]).item() / span
        weights.append(1.0 / (1.0 + math.exp(10.0 * spread)) + 0.5)
        error = (action_values(networks["critics"], state, action)[:, 0] - targets["critics"][b]) ** 2
        expected = expected + weights[-1] * error.sum() / B
    assert max(weights) <= 1.0 and max(weights) - min(weights) > 1e-3
    assert_close(slopes(loss, networks, "critics"), slopes(expected, networks, "critics"))
    assert silent(loss, networks, "targets")


def test_one_critic_is_never_uncertain():
    networks, rows, targets, _ = scene()
    for group in ("critics", "targets"):
        networks[group] = {name: tensor[:1] for name, tensor in networks[group].items()}
    loss = UncertaintyWeighted(10.0)(networks, rows, targets, {}, CONTEXT)
    assert torch.equal(loss, TemporalDifference()(networks, rows, targets, {}, CONTEXT))


def test_reference_value_is_fitted_to_known_returns_only():
    networks, rows, targets, _ = scene()
    partly = rows.returns.clone()
    partly[::3] = float("-inf")
    loss = WithReferenceValue()(networks, dataclasses.replace(rows, returns=partly), targets, {}, CONTEXT)
    value = values(networks["reference_value"], rows.observation)[0]
    terms = [(value[b] - rows.returns[b]) ** 2 for b in range(B) if b % 3]
    assert_close(slopes(loss, networks, "reference_value"), slopes(sum(terms) / B, networks, "reference_value"))
    assert_close(
        slopes(loss, networks, "critics"),
        slopes(TemporalDifference()(networks, rows, targets, {}, CONTEXT), networks, "critics"),
    )
    unknown = dataclasses.replace(rows, returns=torch.full((B,), float("-inf")).double())
    assert silent(WithReferenceValue()(networks, unknown, targets, {}, CONTEXT), networks, "reference_value")


# TD3.


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
    (lambda: Expectile(1.0), "critic_loss.expectile"),
    (lambda: AdvantageWeighted(0.0, "value"), "actor_loss.temperature"),
    (lambda: AdvantageWeighted(1.0, "mean"), "actor_loss.baseline"),
    (lambda: AdvantageWeighted(1.0, "value", "other"), "actor_loss.proposals"),
    (lambda: DeterministicPolicy("median"), "actor_loss.value"),
    (lambda: SpeedLimit(0.0), "speed_limit.radius"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
