"""Candidates of a target, and the targets made of them, one transition at a time."""

import pytest
import torch

from porl_robot.methods.critics import action_values, random_critics
from porl_robot.methods.heads import MinOfRandomSubset, PairMinimum, WeightedMinPair
from porl_robot.methods.networks import Context, Shape
from porl_robot.methods.next_actions import ActorOrReference, Sampled, SmoothedMode
from porl_robot.methods.targets import Bootstrap, StateValue
from porl_robot.policy.network import distribution, random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch

D, A, B, E = 3, 2, 6, 4
FREE = Context((float("-inf"), float("inf")))


def scene():
    rng = torch.Generator().manual_seed(5)
    spec = PolicySpec("toy", D, A, 20.0, (6,))
    networks = {name: random_parameters(spec, rng) for name in ("actor", "reference", "average")}
    networks["targets"] = random_critics(E, D + A, (9,), rng, output_bias=-3.0)
    networks["value"] = random_critics(1, D, (9,), rng, output_bias=-3.0)
    networks["temperature"] = {"log_alpha": torch.tensor(0.2, dtype=torch.float64).log()}
    networks = {g: {n: t.double() * (3.0 if g in ("actor", "average") else 1.0) for n, t in ts.items()}
                for g, ts in networks.items()}  # fmt: skip

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    discount = 0.9 * torch.tensor([1.0, 0.0] * (B // 2), dtype=torch.float64)
    rows = Batch(normal(B, D), normal(B, A).tanh(), normal(B, D), -normal(B).abs(), discount, normal(B))
    return networks, rows, rng


def drawn(rule, rng, members=E):
    """Randomness of one update; normal numbers in double precision."""
    noise = {name: tensor[0] for name, tensor in rule.draw(Shape(1, B, A, members), rng).items()}
    return noise | ({"action": noise["action"].double()} if "action" in noise else {})


def squashed(actor, observation):
    mean, log_std = distribution(actor, observation[None])
    base = torch.distributions.Normal(mean[0], log_std[0].exp())
    return torch.distributions.TransformedDistribution(base, torch.distributions.TanhTransform()), mean[0], log_std[0]


def q(networks, member, observation, action):
    return action_values(networks["targets"], observation[None], action[None])[member, 0].item()


@pytest.mark.parametrize("entropy_backup", [False, True])
@pytest.mark.parametrize("count", [1, 4])
def test_the_best_of_the_samples_counts(count, entropy_backup):
    networks, rows, rng = scene()
    target = Bootstrap(0.9, Sampled(count), MinOfRandomSubset(2), entropy_backup)
    noise = drawn(target, rng)
    ours = target(networks, "targets", rows, noise, FREE)
    winners = set()
    for b in range(B):
        state, best = rows.next_observation[b], []
        density, mean, log_std = squashed(networks["actor"], state)
        for n in range(count):
            action = (mean + log_std.exp() * noise["action"][n, b]).tanh()
            cost = 0.2 * density.log_prob(action).sum().item() if entropy_backup else 0.0
            best.append(min(q(networks, int(e), state, action) for e in noise["subset"]) - cost)
        winners.add(best.index(max(best)))
        expected = rows.reward[b].item() + (0.9 * max(best) if b % 2 == 0 else 0.0)
        assert ours[b].item() == pytest.approx(expected, rel=1e-9)
    assert len(winners) > 1 or count == 1


def test_smoothing_noise_is_clipped_and_so_is_the_action():
    networks, rows, _ = scene()
    rule, noise = SmoothedMode(0.2, 0.5), {"action": torch.full((B, A), -1e3, dtype=torch.float64)}
    noise["action"][:, 0] = torch.linspace(-4.0, 4.0, B)
    ours = rule(networks, rows.next_observation, noise)
    assert rule.networks == ("average",)
    for b in range(B):
        mode = distribution(networks["average"], rows.next_observation[b][None])[0][0].tanh()
        for a in range(A):
            offset = min(max(0.2 * noise["action"][b, a].item(), -0.5), 0.5)
            assert ours.actions[0, b, a].item() == pytest.approx(min(max(mode[a].item() + offset, -1.0), 1.0))
    modes = distribution(networks["average"], rows.next_observation)[0].tanh()
    assert ((ours.actions[0] - modes).abs() <= 0.5 + 1e-12).all() and (ours.actions[0, :, 1] == -1.0).any()
    own = distribution(networks["actor"], rows.next_observation)[0].tanh()
    assert (own - modes).abs().max() > 0.1, "the average should differ from the actor"


def test_actor_or_reference_takes_whichever_is_worth_more():
    networks, rows, rng = scene()
    target = Bootstrap(0.9, ActorOrReference(), MinOfRandomSubset(2))
    noise = drawn(target, rng)
    ours, chosen = target(networks, "targets", rows, noise, FREE), []
    for b in range(B):
        state = rows.next_observation[b]
        _, mean, log_std = squashed(networks["actor"], state)
        own = (mean + log_std.exp() * noise["action"][0, b]).tanh()
        other = distribution(networks["reference"], state[None])[0][0].tanh()
        worth = [min(q(networks, int(e), state, action) for e in noise["subset"]) for action in (own, other)]
        chosen.append(worth[0] > worth[1])
        expected = rows.reward[b].item() + (0.9 * max(worth) if b % 2 == 0 else 0.0)
        assert ours[b].item() == pytest.approx(expected, rel=1e-9)
    assert any(chosen) and not all(chosen)


@pytest.mark.parametrize("heads", [PairMinimum(), WeightedMinPair()])
def test_targets_per_critic_and_for_all(heads):
    networks, rows, rng = scene()
    target = Bootstrap(0.9, Sampled(3), heads)
    noise = drawn(target, rng)
    ours = target(networks, "targets", rows, noise, FREE)
    actions = Sampled(3)(networks, rows.next_observation, noise).actions
    each = torch.stack([action_values(networks["targets"], rows.next_observation, action) for action in actions], 1)
    if isinstance(heads, PairMinimum):
        assert ours.shape == (E, B)
        for e in range(E):
            best = torch.minimum(each[e], each[e ^ 1]).max(0).values
            assert torch.allclose(ours[e], rows.reward + rows.discount * best)
    else:
        pairs = [torch.minimum(each[i], each[j]) for i in range(E) for j in range(i)]
        assert torch.allclose(ours, rows.reward + rows.discount * (sum(pairs) / len(pairs)).max(0).values)


def test_state_value_is_the_next_state_s():
    networks, rows, _ = scene()
    ours = StateValue(0.9)(networks, "targets", rows, {}, FREE)
    weights = {name: tensor[0] for name, tensor in networks["value"].items()}
    hidden = torch.nn.functional.layer_norm(rows.next_observation @ weights["w0"] + weights["b0"], (9,)).relu()
    value = hidden @ weights["w_out"][0] + weights["b_out"][0]
    assert torch.allclose(ours, rows.reward + rows.discount * value)
    assert torch.equal(ours[1::2], rows.reward[1::2]), "terminated rows drop the bootstrap"


def test_targets_stay_within_the_returns_the_task_can_have():
    networks, rows, rng = scene()
    bounded = Context((-2.0, -1.1))
    for target in (Bootstrap(0.9, Sampled(), MinOfRandomSubset(2)), StateValue(0.9)):
        free = target(networks, "targets", rows, drawn(target, rng), FREE)
        assert free.min() < -2.0 and free.max() > -1.1
        kept = target(networks, "targets", rows, drawn(target, rng), bounded)
        assert kept.min() >= -2.0 and kept.max() <= -1.1


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Sampled(0), "next_action.count"),
    (lambda: Bootstrap(1.0, Sampled(), MinOfRandomSubset(2)), "target.discount"),
    (lambda: StateValue(0.9, 0), "target.n_step"),
])  # fmt: skip
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
