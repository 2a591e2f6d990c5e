"""Which rows are drawn, and how often."""

import pytest
import torch

from porl_robot.methods.replay_plans import AdvantageAndDensity, DensityRatio, Prefill, Shares, Uniform


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


PLANS = {
    "uniform": Uniform(),
    "shares": Shares(0.5),
    "prefill": Prefill(0.1),
    "density": DensityRatio(),
    "advantage": AdvantageAndDensity(),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(("offline", "online"), [(50, 0), (0, 50), (1, 1), (50, 3)])
def test_every_plan_stands_one_kind_of_rows(name, offline, online):
    networks = {"priority": {"rows": torch.ones(offline + online + 10)}}
    drawn = PLANS[name].indices(offline, online, 64, networks, generator())
    assert drawn.shape == (64,) and drawn.dtype == torch.int64
    assert drawn.min() >= 0 and drawn.max() < offline + online


def test_uniform_covers_all_rows_alike():
    counts = Uniform().indices(6, 4, 20000, {}, generator()).bincount(minlength=10)
    assert counts.min() > 1800 and counts.max() < 2200


@pytest.mark.parametrize(("part", "expected"), [(0.5, 8), (0.25, 4), (0.0, 0), (1.0, 16)])
def test_shares_put_offline_rows_first(part, expected):
    seen = set()
    for seed in range(40):
        drawn = Shares(part).indices(6, 4, 16, {}, generator(seed))
        assert (drawn[:expected] < 6).all() and (drawn[expected:] >= 6).all()
        seen |= set(drawn.tolist())
    assert seen == set(range(0 if part else 6, 10 if part < 1.0 else 6))


@pytest.mark.parametrize("offline", [1, 7, 100, 618, 1000])
def test_prefill_keeps_the_same_distinct_rows_throughout(offline):
    rule, rng = Prefill(0.05), generator()
    kept = set()
    for online in (0, 10, 400):
        drawn = rule.indices(offline, online, 8000, {}, rng)
        old = set(drawn[drawn < offline].tolist())
        kept = kept or old
        assert old == kept
        assert set(drawn[drawn >= offline].tolist()) == set(range(offline, offline + online))
    assert len(kept) == max(1, round(0.05 * offline))


def test_prefill_takes_rows_from_everywhere():
    kept = Prefill(0.05).indices(1000, 0, 5000, {}, generator()).unique()
    assert len(kept) == 50 and kept.diff().max() < 100, "not a block of neighbours"


def test_prefill_and_online_rows_are_alike():
    counts = Prefill(0.1).indices(100, 10, 20000, {}, generator()).bincount(minlength=110)
    assert sorted(counts[counts > 0].tolist())[0] > 850 and (counts > 0).sum() == 20


def test_online_share_is_as_asked_after_a_thousand_steps():
    for share in (0.25, 0.5, 0.75):
        plan, offline = DensityRatio(online_share=share), 8000
        rows = torch.cat([torch.ones(offline), torch.full((1000,), plan.first(offline))])
        drawn = plan.indices(offline, 1000, 20000, {"priority": {"rows": rows}}, generator())
        assert (drawn >= offline).float().mean().item() == pytest.approx(share, abs=0.02)


def test_advantage_draws_halves_by_their_own_priorities():
    rows = torch.tensor([1.0, 3.0, 0.0, 1000.0, 3000.0])
    drawn = AdvantageAndDensity().indices(3, 2, 8000, {"priority": {"rows": rows}}, generator())
    assert (drawn[:4000] < 3).all() and (drawn[4000:] >= 3).all()
    counts = drawn.bincount(minlength=5) / 4000
    assert torch.allclose(counts, torch.tensor([0.25, 0.75, 0.0, 0.25, 0.75]), atol=0.03)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Shares(1.5), "offline_share"),
    (lambda: Prefill(0.0), "part"),
    (lambda: DensityRatio(online_share=1.0), "online_share"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
