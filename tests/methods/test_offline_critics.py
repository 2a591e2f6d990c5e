"""Critic losses of ENOTO and Q2RL: against loops and autograd."""

import dataclasses
import math

import pytest
import torch

from porl_robot.methods.critic_losses import TemporalDifference, UncertaintyWeighted, WithReferenceValue
from porl_robot.methods.critics import action_values, values
from porl_robot.methods.networks import Context

from .scene import CONTEXT, B, assert_close, scene, silent, slopes


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
