"""What rows are worth drawing: the classifier of old and new data, and the priorities made of it."""

import numpy as np
import pytest
import torch

from porl_robot.methods.critics import action_values, random_critics, values
from porl_robot.methods.replay_plans import AdvantageAndDensity, DensityRatio, density_loss
from porl_robot.policy.network import distribution, random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch

D, A = 2, 1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


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
