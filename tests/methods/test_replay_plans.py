"""Which rows are drawn, how often, and what stands in them; against plain loops over lists of episodes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from porl_robot.methods.critics import action_values, random_critics, values
from porl_robot.methods.networks import Context
from porl_robot.methods.replay_plans import AdvantageAndDensity, DensityRatio, Prefill, Shares, Uniform, density_loss
from porl_robot.methods.targets import StateValue
from porl_robot.policy.network import distribution, random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch, ReplayBuffer
from porl_robot.replay.log import LogData
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS

D, A = 2, 1
SPEC = LogSpec("toy", D, A, 20.0, (-1.0, 0.0), True, ())
ENDS = [(7, False), (3, True), (5, False), (1, True), (1, False), (4, True)]
"""Lengths of episodes, and whether they were terminated."""


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Rows.


def episodes_of(lengths, seed):
    """Lists of (observation, action, next observation, reward, terminated, truncated)."""
    rng = np.random.default_rng(seed)
    episodes = []
    for length, terminated in lengths:
        seen = rng.normal(size=(length + 1, D)).astype("f4")
        steps = []
        for i in range(length):
            last = i == length - 1
            steps.append((seen[i], rng.uniform(-1, 1, A).astype("f4"), seen[i + 1], float(np.float32(rng.normal())),
                          last and terminated, last and not terminated))  # fmt: skip
        episodes.append(steps)
    return episodes


def log_of(episodes, lost=()):
    """The log of these episodes; `lost` ones have no known final observation."""
    rows = [step for steps in episodes for step in steps]
    columns = {
        "observation": np.array([r[0] for r in rows]),
        "action": np.array([r[1] for r in rows]),
        "reward": np.array([r[3] for r in rows], "f4"),
        "terminated": np.array([r[4] for r in rows]),
        "truncated": np.array([r[5] for r in rows]),
        "episode_ends": np.cumsum([len(steps) for steps in episodes]),
        "final_observation": np.array(
            [np.full(D, np.nan) if i in lost else steps[-1][2] for i, steps in enumerate(episodes)], "f4"
        ),
    }
    others = {field.name: np.zeros(len(rows)) for field in FIELDS if field.name not in columns}
    return LogData(path=Path(), spec=SPEC, **columns, **others)


def filled(offline, online, lost=()):
    """A buffer of both; the last online episode is still under way."""
    buffer = ReplayBuffer(200, D, A, offline=log_of(offline, lost) if offline else None)
    for steps in online:
        for step in steps:
            buffer.add(*step)
    return buffer


def by_hand(steps, i, known, discount, n):
    """Reward, discount and next observation of step `i`, of which the first `known` steps have happened."""
    reward, factor = 0.0, 1.0
    for k in range(n):
        if i + k >= known:
            break
        _, _, following, earned, terminated, _ = steps[i + k]
        reward, factor = reward + factor * earned, factor * discount
        if terminated:
            return reward, 0.0, following
    return reward, factor, following


@pytest.mark.parametrize("rows", [0, 1, 7, 9, 15, 17, 18, 20])
@pytest.mark.parametrize("n", [1, 3, 10])
def test_rows_of_n_steps_equal_a_loop_over_the_episodes(n, rows):
    """Also at the ends of episodes, where what is known ends, and where offline data ends."""
    offline, online = episodes_of(ENDS, 1), episodes_of([*ENDS[:4], (4, False)], 2)
    online[-1][-1] = (*online[-1][-1][:5], False)
    buffer = filled(offline, online)
    assert buffer.offline == 21 and len(buffer) == 20
    batch = buffer.gather(torch.arange(21 + rows), rows, (21 + rows,), 0.9, n)
    at = 0
    for steps in offline:
        for i in range(len(steps)):
            expected = by_hand(steps, i, len(steps), 0.9, n)
            assert_row(batch, at, steps[i], expected)
            at += 1
    done = 0
    for steps in online:
        for i in range(len(steps)):
            if done + i < rows:
                assert_row(batch, at, steps[i], by_hand(steps, i, min(len(steps), rows - done), 0.9, n))
                at += 1
        done += len(steps)
    assert at == 21 + rows


def assert_row(batch, at, step, expected):
    reward, discount, following = expected
    assert np.array_equal(batch.observation[at], step[0]) and np.array_equal(batch.action[at], step[1])
    assert batch.reward[at].item() == pytest.approx(reward, rel=1e-5, abs=1e-6)
    assert batch.discount[at].item() == pytest.approx(discount, rel=1e-6)
    if discount > 0.0:
        assert np.array_equal(batch.next_observation[at], following)


@pytest.mark.parametrize("n", [1, 3])
def test_truncation_keeps_the_bootstrap_and_termination_drops_it(n):
    twins = [episodes_of([(5, terminated)], 3)[0] for terminated in (True, False)]
    networks = {"value": random_critics(1, D, (6,), generator(), output_bias=-9.0)}
    targets = []
    for steps in twins:
        batch = filled([], [steps]).gather(torch.arange(5), 5, (5,), 0.9, n)
        targets.append(StateValue(0.9, n)(networks, "targets", batch, {}, Context((-1e9, 1e9))))
    terminated, truncated = targets
    following = torch.from_numpy(twins[0][-1][2])
    bootstrap = values(networks["value"], following[None])[0, 0].item()
    for i in range(5):
        left = 5 - i
        lost = 0.9**left * bootstrap if left <= n else 0.0
        assert (truncated[i] - terminated[i]).item() == pytest.approx(lost, rel=1e-4, abs=1e-5)


def test_a_lost_end_does_not_join_two_episodes():
    """An episode of one step whose end was lost leaves no row; the numbers of the others stay apart."""
    offline, online = episodes_of([(3, False), (1, False), (2, False)], 4), episodes_of([(4, False)], 5)
    buffer = filled(offline, online, lost=(1,))
    assert buffer.offline == 5
    batch = buffer.gather(torch.arange(9), 4, (9,), 0.9, 3)
    at = 0
    for steps in (offline[0], offline[2], online[0]):
        for i in range(len(steps)):
            assert_row(batch, at, steps[i], by_hand(steps, i, len(steps), 0.9, 3))
            at += 1


def test_returns_are_filled_as_episodes_end():
    offline, online = episodes_of(ENDS, 1), episodes_of(ENDS, 2)
    buffer, everything = filled(offline, online), torch.arange(42)

    def returns(rows):
        buffer.fill_returns(rows, 0.9)
        return buffer.gather(everything[: 21 + rows], rows, (21 + rows,), 0.9).returns

    known = 0
    for rows in (0, 6, 7, 12, 21):
        column, at = returns(rows), 0
        for steps in [*offline, *online]:
            begins = at
            for i in range(len(steps)):
                if at >= 21 + rows:
                    break
                if begins + len(steps) <= 21 + rows:
                    assert column[at].item() == pytest.approx(return_of(steps, i, 0.9), rel=1e-4, abs=1e-4)
                    known += 1
                else:
                    assert column[at].item() == float("-inf")
                at += 1
    assert known == 21 + 21 + 28 + 31 + 42


def return_of(steps, i, discount):
    """Beyond a truncation it goes on at the mean reward."""
    mean = sum(step[3] for step in steps) / len(steps)
    rest = 0.0 if steps[-1][4] else mean / (1 - discount)
    for step in reversed(steps[i:]):
        rest = step[3] + discount * rest
    return rest


def test_an_episode_that_only_fails_is_worth_its_reward_for_ever():
    steps = [(o, a, f, -1.0, t, e) for o, a, f, _, t, e in episodes_of([(6, False)], 1)[0]]
    buffer = filled([steps], [])
    buffer.fill_returns(0, 0.97)
    assert torch.allclose(buffer.gather(torch.arange(6), 0, (6,), 0.97).returns, torch.tensor(-1.0 / 0.03))


# Indices.

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


# Priorities.


def normal_rows(count, mean, rng):
    nothing = torch.zeros(count)
    observation = torch.randn(count, D, generator=rng) * 0.8 + torch.tensor([mean, 0.0])
    return Batch(observation, torch.randn(count, A, generator=rng) * 0.3, observation, nothing, nothing, nothing)


def test_classifier_recovers_a_known_ratio():
    """Of two Gaussians .8 apart in one of three dimensions, the log ratio is linear in it."""
    rng = generator(1)
    networks = {"density": random_critics(1, D + A, (32, 32), rng)}
    weights = [tensor.requires_grad_() for tensor in networks["density"].values()]
    adam = torch.optim.Adam(weights, lr=3e-3)
    first = None
    for _ in range(300):
        loss = density_loss(networks, normal_rows(256, -0.4, rng), normal_rows(256, 0.4, rng))
        first = first or loss.item()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss.item() < first
    rows = normal_rows(2000, 0.0, rng)
    true = 0.8 * rows.observation[:, 0] / 0.8**2
    logit = values(networks["density"], torch.cat([rows.observation, rows.action], 1))[0].detach()
    assert np.corrcoef(true, logit)[0, 1] > 0.95
    assert np.polyfit(true, logit, 1) == pytest.approx([1.0, 0.0], abs=0.2)


def judged(seed=2, count=40, members=3):
    """Networks, and as many rows, of which the first half are offline."""
    rng = generator(seed)
    networks = {
        "density": random_critics(1, D + A, (8,), rng),
        "critics": random_critics(members, D + A, (8,), rng),
        "actor": random_parameters(PolicySpec("toy", D, A, 20.0, (6,)), rng),
    }
    networks["density"]["w_out"] *= 5.0
    return networks, normal_rows(count, 0.0, rng), torch.arange(count)


def ratio_by_hand(networks, rows, i, exponent):
    inputs = torch.cat([rows.observation[i], rows.action[i]])
    logit = values(networks["density"], inputs[None]).item()
    return np.exp(exponent * min(max(logit, -5.0), 5.0))


def test_density_priorities_have_mean_one_over_offline_rows():
    networks, rows, indices = judged()
    ours = DensityRatio(0.2).refreshed(networks, rows, indices, 20)
    assert ours[:20].mean().item() == pytest.approx(1.0, rel=1e-5)
    plain = np.array([ratio_by_hand(networks, rows, i, 0.2) for i in range(40)])
    assert np.allclose(ours, plain / plain[:20].mean(), rtol=1e-4) and np.ptp(plain) > 0.3


def test_density_priorities_are_clipped():
    networks, rows, indices = judged()
    ours = DensityRatio(3.0).refreshed(networks, rows, indices, 20)
    plain = np.array([ratio_by_hand(networks, rows, i, 3.0) for i in range(40)])
    assert np.allclose(ours, np.clip(plain / plain[:20].mean(), 1e-3, 1e3), rtol=1e-3)
    assert ours.min().item() == pytest.approx(1e-3)


def test_advantage_priorities_equal_the_definition():
    networks, rows, indices = judged()
    with torch.no_grad():
        rows.action[3] = 60.0  # far from everything: beyond three standard deviations
    ours = AdvantageAndDensity(0.2, 0.3, 0.5).refreshed(networks, rows, indices, 20)
    bounds = []
    for i in range(40):
        state, action = rows.observation[i][None], rows.action[i][None]
        mode = distribution(networks["actor"], state)[0].tanh()
        both = [action_values(networks["critics"], state, each)[:, 0] for each in (action, mode)]
        gain = (both[0] - both[1]).double()
        bounds.append((gain.mean() - 0.5 * gain.std()).item())
    z = (np.array(bounds) - np.mean(bounds[:20])) / np.std(bounds[:20], ddof=1)
    expected = np.exp(0.3 * np.clip(z, -3.0, 3.0))
    ratios = np.array([ratio_by_hand(networks, rows, i, 0.2) for i in range(20)])
    expected[:20] *= ratios / ratios.mean()
    assert np.allclose(ours, expected, rtol=1e-3)
    assert (np.abs(z) > 3.0).any(), "a row should be clipped"


def test_advantage_priorities_do_not_shrink_with_the_batch():
    """Dividing by the sum of the ratios, as the released code does, makes offline rows rarer in larger batches."""
    networks, rows, _ = judged()
    doubled = Batch(*(torch.cat([getattr(rows, name)] * 2) for name in Batch.__slots__))
    plan = AdvantageAndDensity()
    one = plan.refreshed(networks, rows, torch.zeros(40, dtype=torch.int64), 20)
    other = plan.refreshed(networks, doubled, torch.zeros(80, dtype=torch.int64), 20)
    assert torch.allclose(one, other[:40], rtol=1e-2)


@pytest.mark.parametrize("plan", [DensityRatio(), AdvantageAndDensity()])
@pytest.mark.parametrize("offline", [0, 1, 40])
@pytest.mark.parametrize("members", [1, 3])
def test_priorities_are_finite_whatever_a_batch_holds(plan, members, offline):
    ours = plan.refreshed(*judged(members=members), offline)
    assert ours.isfinite().all() and (ours > 0).all()


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Shares(1.5), "offline_share"),
    (lambda: Prefill(0.0), "part"),
    (lambda: DensityRatio(online_share=1.0), "online_share"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
