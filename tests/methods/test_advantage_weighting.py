"""IQL and AWAC: the value's expectile and the weights of imitation, against loops."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from porl_robot.methods.actor_losses import AdvantageWeighted
from porl_robot.methods.critic_losses import Expectile, TemporalDifference
from porl_robot.methods.critics import action_values, values
from porl_robot.policy.network import distribution

from .scene import CONTEXT, B, assert_close, scene, silent, slopes


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


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Expectile(1.0), "critic_loss.expectile"),
    (lambda: AdvantageWeighted(0.0, "value"), "actor_loss.temperature"),
    (lambda: AdvantageWeighted(1.0, "mean"), "actor_loss.baseline"),
    (lambda: AdvantageWeighted(1.0, "value", "other"), "actor_loss.proposals"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
