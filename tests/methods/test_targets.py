import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.methods.critics import action_values, random_critics
from porl_robot.methods.heads import MinOfRandomSubset
from porl_robot.methods.networks import Context, Shape
from porl_robot.methods.next_actions import Candidates, Sampled
from porl_robot.methods.targets import Bootstrap, return_bounds
from porl_robot.replay.buffer import Batch

FREE = (float("-inf"), float("inf"))
MEMBERS, BATCH, DISCOUNT, ALPHA = 5, 8, 0.9, 0.3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def scene():
    """Target critics and one batch; half of its steps are terminated."""
    rng = generator(7)
    return {
        "critics": random_critics(MEMBERS, 4 + 2, (16,), rng, output_bias=-5.0),
        "reward": -torch.rand(BATCH, generator=rng),
        "not_terminated": torch.tensor([1.0, 0.0] * (BATCH // 2)),
        "next_observation": torch.randn(BATCH, 4, generator=rng),
        "next_action": torch.rand(BATCH, 2, generator=rng) * 2 - 1,
        "log_prob": torch.randn(BATCH, generator=rng),
    }


class Given:
    """Stands in for a choice of actions: the one of the scene."""

    networks = ()

    def __init__(self, scene):
        self.scene = scene

    def __call__(self, networks, next_observation, noise):
        assert torch.equal(next_observation, self.scene["next_observation"])
        return Candidates(self.scene["next_action"][None], self.scene["log_prob"][None])


def target_of(scene, subset, entropy_backup=False, bounds=FREE, bank="targets"):
    """What the rule makes of the scene; its own discount is that of the rows."""
    rule = Bootstrap(DISCOUNT, Given(scene), MinOfRandomSubset(len(subset)), entropy_backup)
    unused = torch.full((BATCH, 4), float("nan"))
    rows = Batch(
        observation=unused,
        action=unused[:, :2],
        next_observation=scene["next_observation"],
        reward=scene["reward"],
        discount=DISCOUNT * scene["not_terminated"],
        returns=unused[:, 0],
    )
    networks = {bank: scene["critics"], "temperature": {"log_alpha": torch.tensor(ALPHA).log()}}
    return rule(networks, bank, rows, {"subset": torch.tensor(subset)}, Context(bounds))


def by_hand(scene, subset, discount, entropy_backup=False, bounds=FREE):
    """One transition and one critic after the other."""
    values = action_values(scene["critics"], scene["next_observation"], scene["next_action"]).tolist()
    targets = []
    for i in range(BATCH):
        target = scene["reward"][i].item()
        if scene["not_terminated"][i]:
            bootstrap = min(values[int(member)][i] for member in subset)
            bootstrap -= ALPHA * scene["log_prob"][i].item() if entropy_backup else 0.0
            target += discount * bootstrap
        targets.append(min(max(target, bounds[0]), bounds[1]))
    return torch.tensor(targets)


@pytest.mark.parametrize("entropy_backup", [False, True])
@pytest.mark.parametrize("bounds", [FREE, (-4.5, -1.0)])
@pytest.mark.parametrize("subset", [[0], [3, 1], [4, 2, 0], [0, 1, 2, 3, 4]])
def test_target_equals_the_definition(scene, subset, bounds, entropy_backup):
    targets = target_of(scene, subset, entropy_backup, bounds)
    expected = by_hand(scene, subset, DISCOUNT, entropy_backup, bounds)
    assert torch.allclose(targets, expected, rtol=1e-5)
    if bounds is not FREE:
        assert ((expected == bounds[0]) | (expected == bounds[1])).any(), "the bounds should bind somewhere"


def test_truncated_keeps_and_terminated_drops_the_bootstrap(scene):
    targets = target_of(scene, [0, 1])
    terminated = scene["not_terminated"] == 0
    assert torch.equal(targets[terminated], scene["reward"][terminated])
    assert (targets[~terminated] < scene["reward"][~terminated] - 1.0).all()


def test_terminated_drops_the_bootstrap_even_of_critics_gone_wild(scene):
    critics = {**scene["critics"], "b_out": torch.full((MEMBERS, 1), 1e30)}
    targets = target_of({**scene, "critics": critics}, [0, 1], entropy_backup=True)
    terminated = scene["not_terminated"] == 0
    assert torch.equal(targets[terminated], scene["reward"][terminated])


def test_subset_of_all_members_is_the_minimum_over_all(scene):
    (subset,) = subsets_of(MEMBERS, 1, MEMBERS, generator(1))
    values = action_values(scene["critics"], scene["next_observation"], scene["next_action"])
    expected = scene["reward"] + DISCOUNT * scene["not_terminated"] * values.min(0).values
    assert torch.allclose(target_of(scene, subset.tolist()), expected)


def test_the_bank_that_is_asked_answers(scene):
    assert torch.equal(target_of(scene, [0, 1], bank="offline_targets"), target_of(scene, [0, 1]))


def subsets_of(size, updates, members, rng):
    """Subsets as a whole rule draws them."""
    rule = Bootstrap(DISCOUNT, Sampled(), MinOfRandomSubset(size))
    return rule.draw(Shape(updates, 1, 1, members), rng)["subset"]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**31))
def test_subsets_are_distinct_members(size, members, updates, seed):
    subsets = subsets_of(size, updates, members, generator(seed))
    assert subsets.shape == (updates, min(size, members))
    for subset in subsets.tolist():
        assert len(set(subset)) == len(subset)
        assert set(subset) <= set(range(members))


def test_every_pair_is_drawn_equally_often():
    draws = 6000
    subsets = subsets_of(2, draws, 4, generator(0)).sort(1).values.tolist()
    for pair in itertools.combinations(range(4), 2):
        # 1000 expected; a binomial count strays by 29 on average.
        assert abs(subsets.count(list(pair)) - draws / 6) < 150


def test_subsets_follow_the_generator():
    first, again = (subsets_of(2, 20, 10, generator(3)) for _ in range(2))
    assert torch.equal(first, again)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-5, 5),
    st.floats(0, 5),
    st.floats(0.01, 0.995),
    st.lists(st.floats(0, 1), min_size=1, max_size=300),
)
def test_no_return_is_outside_the_bounds(low, span, discount, shares):
    """Of episodes of any length with rewards in their range, cut or ended anywhere; and the extremes are reached."""
    bounds = return_bounds(discount, (low, low + span))
    value = 0.0
    for share in shares:
        value = low + share * span + discount * value
        assert bounds[0] - 1e-6 <= value <= bounds[1] + 1e-6
    extremes = {low, low + span, low / (1 - discount), (low + span) / (1 - discount)}
    assert bounds[0] == pytest.approx(min(extremes), rel=1e-9)
    assert bounds[1] == pytest.approx(max(extremes), rel=1e-9)


def test_bounds_of_the_usual_reward_and_of_an_unknown_one():
    assert return_bounds(0.97, (-1.0, 0.0)) == pytest.approx((-100 / 3, 0.0))
    assert return_bounds(0.97, None) == FREE


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((0, 0.9, 1), "heads.size 0"),
        ((2, 0.0, 1), "target.discount 0.0"),
        ((2, 1.0, 1), "1.0"),
        ((2, float("nan"), 1), "nan"),
        ((2, 0.9, 0), "target.n_step 0"),
    ],
)
def test_values_out_of_range_are_refused(values, named):
    size, discount, n_step = values
    with pytest.raises(ValueError, match=named):
        Bootstrap(discount, Sampled(), MinOfRandomSubset(size), n_step=n_step)
