"""Aggregates of an ensemble against loops over its members."""

from itertools import combinations

import pytest
import torch

from porl_robot.methods.critics import random_critics, values
from porl_robot.methods.heads import MinOfRandomSubset, PairMinimum, WeightedMinPair, pair_minima
from porl_robot.methods.networks import Shape


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def of_members(members, samples=3, batch=5):
    return torch.randn(members, samples, batch, generator=generator(members), dtype=torch.float64)


@pytest.mark.parametrize("size", [4, 9])
def test_a_subset_of_all_is_the_minimum_over_all(size):
    rule, critics = MinOfRandomSubset(size), random_critics(4, 3, (6,), generator())
    noise = {"subset": rule.draw(Shape(1, 5, 2, 4), generator(1))["subset"][0]}
    inputs = torch.randn(5, 3, generator=generator(2))
    asked = values(rule.select(critics, noise), inputs)
    everyone = torch.stack([values({n: t[e : e + 1] for n, t in critics.items()}, inputs)[0] for e in range(4)])
    assert torch.allclose(rule.reduce(asked[:, None])[0], everyone.min(0).values, rtol=1e-6)


def test_only_the_drawn_critics_are_asked():
    rule, critics = MinOfRandomSubset(2), random_critics(5, 3, (6,), generator())
    inputs = torch.randn(7, 3, generator=generator(2))
    everyone = values(critics, inputs)
    for pair in combinations(range(5), 2):
        asked = values(rule.select(critics, {"subset": torch.tensor(pair)}), inputs)
        assert torch.allclose(rule.reduce(asked[:, None])[0], torch.minimum(*everyone[list(pair)]), rtol=1e-5)


def test_without_replacement_every_pair_is_as_likely():
    drawn = MinOfRandomSubset(2).draw(Shape(6000, 1, 1, 4), generator(3))["subset"]
    assert drawn.shape == (6000, 2)
    counts = {pair: 0 for pair in combinations(range(4), 2)}
    for pair in drawn.sort(1).values.tolist():
        counts[tuple(pair)] += 1  # a KeyError is a critic drawn twice
    assert all(abs(count / 6000 - 1 / 6) < 0.02 for count in counts.values())


def test_with_replacement_one_critic_may_come_twice():
    drawn = MinOfRandomSubset(2, replacement=True).draw(Shape(6000, 1, 1, 4), generator(3))["subset"]
    assert drawn.shape == (6000, 2) and set(drawn.flatten().tolist()) == {0, 1, 2, 3}
    assert (drawn[:, 0] == drawn[:, 1]).float().mean().item() == pytest.approx(1 / 4, abs=0.02)


@pytest.mark.parametrize("members", range(2, 11))
def test_weighted_minima_are_the_mean_over_all_pairs(members):
    each = of_members(members)
    minima = [torch.minimum(each[i], each[j]) for i, j in combinations(range(members), 2)]
    assert torch.allclose(WeightedMinPair().reduce(each), sum(minima) / len(minima), rtol=1e-12)


def test_weighted_minima_of_one_critic_are_its_values():
    assert torch.equal(WeightedMinPair().reduce(of_members(1)), of_members(1)[0])


@pytest.mark.parametrize("members", [2, 6])
def test_every_critic_gets_the_minimum_of_its_own_pair(members):
    each = of_members(members)
    reduced = PairMinimum().reduce(each)
    assert reduced.shape == each.shape
    for e in range(members):
        partner = e + 1 if e % 2 == 0 else e - 1
        assert torch.equal(reduced[e], torch.minimum(each[e], each[partner]))
    assert torch.equal(pair_minima(each), reduced[::2])


def test_an_empty_subset_is_refused():
    with pytest.raises(ValueError, match=r"heads\.size 0"):
        MinOfRandomSubset(0)
