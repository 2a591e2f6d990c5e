"""The update against soft actor-critic as a textbook has it: one module per network, torch's Adam, step by step."""

import copy
import dataclasses
import itertools

import pytest
import torch
from torch import nn

from porl_robot.learner.optimizer import Moments
from porl_robot.learner.state import LearnerState, Sizes, initial_state
from porl_robot.learner.update import Coefficients, Losses, Noise, update_block
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.critic_losses import TemporalDifference
from porl_robot.methods.heads import MinOfRandomSubset
from porl_robot.methods.next_actions import Sampled
from porl_robot.methods.schedules import Constant
from porl_robot.methods.targets import Bootstrap
from porl_robot.replay.buffer import Batch

D, A, B = 3, 2, 12
DISCOUNT, BOUNDS = 0.9, (-10.0, 0.0)
RATES = {"critic_rate": 3e-3, "tau": 0.05, "actor_rate": 1e-3, "alpha_rate": 2e-3}
RADIUS = 0.4


class TextbookCritic(nn.Module):
    def __init__(self, parameters, member):
        super().__init__()
        layers, i = [], 0
        while f"w{i}" in parameters:
            weight = parameters[f"w{i}"][member].detach()
            layers += [
                linear(weight, parameters[f"b{i}"][member, 0].detach()),
                nn.LayerNorm(weight.shape[1]),
                nn.ReLU(),
            ]
            layers[-2].requires_grad_(False)
            i += 1
        out = linear(parameters["w_out"][member].detach().T, parameters["b_out"][member].detach())
        self.body = nn.Sequential(*layers, out).to(out.weight.dtype)

    def forward(self, observation, action):
        return self.body(torch.cat([observation, action], 1)).squeeze(1)


class TextbookActor(nn.Module):
    def __init__(self, parameters):
        super().__init__()
        parameters = {name: tensor.detach() for name, tensor in parameters.items()}
        count = sum(name.startswith("layers.") for name in parameters) // 2
        hidden = [linear(parameters[f"layers.{i}.weight"], parameters[f"layers.{i}.bias"]) for i in range(count)]
        self.trunk = nn.Sequential(*itertools.chain.from_iterable((layer, nn.ReLU()) for layer in hidden))
        self.mean = linear(parameters["mean.weight"], parameters["mean.bias"])
        self.log_std = linear(parameters["log_std.weight"], parameters["log_std.bias"])

    def forward(self, observation):
        x = self.trunk(observation)
        return self.mean(x), -5.0 + 6.0 * torch.sigmoid(self.log_std(x))

    def rsample(self, observation, noise):
        mean, log_std = self(observation)
        gaussian = torch.distributions.Normal(mean, log_std.exp())
        u = mean + log_std.exp() * noise
        slope = torch.distributions.TanhTransform().log_abs_det_jacobian(u, u.tanh())
        return u.tanh(), (gaussian.log_prob(u) - slope).sum(1)


class Textbook:
    """REDQ with the update-to-data ratio of the batch's first dimension, then one step of actor and temperature."""

    def __init__(self, state, losses, rates):
        self.losses, self.rates, self.running = losses, rates, None
        actor, critics = state.networks["actor"], state.networks["critics"]
        self.statistics = [actor[f"observation.{name}"].clone() for name in ("mean", "std")]
        self.actor, self.reference = TextbookActor(actor), TextbookActor(state.networks["reference"])
        self.critics = [TextbookCritic(critics, e) for e in range(len(critics["b_out"]))]
        self.targets = [copy.deepcopy(critic) for critic in self.critics]
        self.log_alpha = state.networks["temperature"]["log_alpha"].detach().clone().requires_grad_()
        self.critic_adams = [torch.optim.Adam(trained(critic), lr=rates["critic_rate"]) for critic in self.critics]
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), lr=rates["actor_rate"])
        self.alpha_adam = torch.optim.Adam([self.log_alpha], lr=rates["alpha_rate"])

    def seen(self, observation):
        return ((observation - self.statistics[0]) / self.statistics[1]).clamp(-10, 10)

    def block(self, batch, noise, train_actor):
        for k in range(len(batch.reward)):
            self.critic_step(batch, noise, k)
        if train_actor:
            self.actor_step(self.seen(batch.observation[-1]), noise.actor_loss["action"][0])

    def critic_step(self, batch, noise, k):
        following = self.seen(batch.next_observation[k])
        with torch.no_grad():
            action, log_prob = self.actor.rsample(following, noise.target["action"][k, 0])
            chosen = [self.targets[int(e)](following, action) for e in noise.target["subset"][k]]
            value = torch.stack(chosen).min(0).values
            if self.losses.target.entropy_backup:
                value = value - self.log_alpha.exp() * log_prob
            not_terminated = batch.discount[k] != 0
            target = batch.reward[k] + self.losses.target.discount * not_terminated * value
            target = target.clamp(*self.losses.value_bounds)
        for critic, adam in zip(self.critics, self.critic_adams, strict=True):
            loss = nn.functional.mse_loss(critic(self.seen(batch.observation[k]), batch.action[k]), target)
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            for slow, fast in zip(self.targets, self.critics, strict=True):
                for old, new in zip(trained(slow), trained(fast), strict=True):
                    old.copy_((1 - self.rates["tau"]) * old + self.rates["tau"] * new)

    def actor_step(self, observation, noise):
        alpha = self.log_alpha.exp().detach()
        action, log_prob = self.actor.rsample(observation, noise)
        values = torch.stack([critic(observation, action) for critic in self.critics])
        value = values.mean(0) if self.losses.actor_loss.value == "mean" else values.min(0).values
        loss = (alpha * log_prob - value).mean()
        if self.losses.actor_loss.anchor is not None:
            modes = self.actor(observation)[0].tanh(), self.reference(observation)[0].tanh().detach()
            slope = self.slope(observation, action.detach())
            self.running = slope if self.running is None else 0.99 * self.running + 0.01 * slope
            loss = loss + self.running / (2 * RADIUS) * (modes[0] - modes[1]).pow(2).sum(1).mean()
        self.actor_adam.zero_grad()
        loss.backward()
        self.actor_adam.step()
        alpha_loss = (self.log_alpha.exp() * (-log_prob.detach() - self.losses.target_entropy)).mean()
        self.alpha_adam.zero_grad()
        alpha_loss.backward()
        self.alpha_adam.step()

    def slope(self, observation, action):
        """Root mean square over the batch of the length of dQ/da."""
        action.requires_grad_()
        values = torch.stack([critic(observation, action) for critic in self.critics])
        value = values.mean(0) if self.losses.actor_loss.value == "mean" else values.min(0).values
        (gradient,) = torch.autograd.grad(value.sum(), action)
        return gradient.norm(dim=1).pow(2).mean().sqrt()

    def flat(self):
        """Every network as one vector, in the order of `flat` below."""
        critics, targets = (
            torch.cat([flat_linears(critic.body) for critic in members]) for members in (self.critics, self.targets)
        )
        actor = flat_linears([*self.actor.trunk, self.actor.mean, self.actor.log_std])
        return {"critics": critics, "targets": targets, "actor": actor, "log_alpha": self.log_alpha.detach()}


def linear(weight, bias):
    """A module with `weight` (in, out) and `bias` (out,)."""
    module = nn.Linear(*weight.shape, dtype=weight.dtype)
    module.weight.data, module.bias.data = weight.T.clone(), bias.clone()
    return module


def trained(module):
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def flat_linears(modules):
    linears = [module for module in modules if isinstance(module, nn.Linear)]
    return torch.cat([part.detach().flatten() for layer in linears for part in (layer.weight.T, layer.bias)])


def flat(state):
    """Every network of a learner's state as one vector: member by member, layer by layer, weights before biases."""
    names = {"critics": ["w0", "b0", "w1", "b1", "w_out", "b_out"]}
    names["targets"] = names["critics"]
    vectors = {}
    for group, keys in names.items():
        tensors = state.networks[group]
        members = range(len(tensors["b_out"]))
        vectors[group] = torch.cat([tensors[key][e].detach().flatten() for e in members for key in keys])
    layers = ["layers.0", "layers.1", "mean", "log_std"]
    actor, temperature = state.networks["actor"], state.networks["temperature"]
    parts = [actor[f"{layer}.{kind}"].detach().flatten() for layer in layers for kind in ("weight", "bias")]
    return vectors | {"actor": torch.cat(parts), "log_alpha": temperature["log_alpha"].detach().clone()}


def state_of(policy_of, dtype, members=4, alpha=0.2):
    policy, rng = policy_of(hidden=(10, 7)), torch.Generator().manual_seed(1)
    sizes, device = Sizes(members, (9, 8)), torch.device("cpu")
    state, _ = initial_state(policy, policy, sizes, alpha, rng, device, frozenset({"slope"}))

    def cast(tensor):
        return tensor.detach().to(dtype).requires_grad_(tensor.requires_grad)

    def cast_moments(moments):
        return Moments([cast(t) for t in moments.first], [cast(t) for t in moments.second], cast(moments.step))

    return LearnerState(
        {group: {name: cast(t) for name, t in tensors.items()} for group, tensors in state.networks.items()},
        {group: cast_moments(moments) for group, moments in state.moments.items()},
    )


def drawn(dtype, updates, members, size, rng):
    """A batch with terminated steps in it, and the noise of one block."""

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=dtype)

    batch = Batch(
        observation=3 * normal(updates, B, D),
        action=normal(updates, B, A).tanh(),
        next_observation=3 * normal(updates, B, D),
        reward=-normal(updates, B).abs(),
        discount=DISCOUNT * (torch.rand(updates, B, generator=rng) < 0.7).to(dtype),
        returns=torch.full((updates, B), float("-inf"), dtype=dtype),
    )
    subsets = torch.stack([torch.randperm(members, generator=rng)[:size] for _ in range(updates)])
    target = {"action": normal(updates, 1, B, A), "subset": subsets}
    return batch, Noise(target=target, critic_loss={}, actor_loss={"action": normal(1, B, A)})


def losses_of(size=2, entropy_backup=False, value="mean", anchored=False, bounds=BOUNDS):
    return Losses(
        target=Bootstrap(DISCOUNT, Sampled(), MinOfRandomSubset(size), entropy_backup),
        critic_loss=TemporalDifference(),
        actor_loss=SoftActorCritic(value, ModeDistance(Constant(1.0)) if anchored else None),
        value_bounds=bounds,
        target_entropy=-2.0,
    )


def coefficients_of(dtype, **changes):
    rates = {name: torch.tensor(value, dtype=dtype) for name, value in (RATES | changes).items()}
    return Coefficients(**rates, weights={"radius": torch.tensor(RADIUS, dtype=dtype)})


VARIANTS = {
    "porl": {},
    "anchored": {"anchored": True},
    "entropy_backup": {"entropy_backup": True, "bounds": (float("-inf"), float("inf"))},
    "pessimistic": {"size": 4, "value": "min"},
    "one_target": {"size": 1, "anchored": True, "value": "min"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_update_equals_the_textbook(policy_of, variant, dtype, tolerance):
    losses, state, rng = losses_of(**VARIANTS[variant]), state_of(policy_of, dtype), torch.Generator().manual_seed(5)
    book = Textbook(state, losses, RATES)
    start = flat(state)
    steps = 6 if dtype is torch.float64 else 3
    for step in range(steps):
        batch, noise = drawn(dtype, 3, 4, losses.target.heads.size, rng)
        train_actor = step > 0  # the first block fits the critics only
        update_block(losses, state, batch, noise, coefficients_of(dtype), train_actor)
        book.block(batch, noise, train_actor)
    ours, theirs = flat(state), book.flat()
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() <= tolerance * expected.norm(), name
        assert (expected - start[name]).norm() > 1e-3 * expected.norm(), f"{name} hardly moved"


def test_textbook_sac_is_two_critics_and_their_minimum(policy_of):
    """Two critics, the smaller of both in target and actor loss, one update per step: SAC as published."""
    losses = losses_of(size=2, entropy_backup=True, value="min", bounds=(float("-inf"), float("inf")))
    state, rng = state_of(policy_of, torch.float64, members=2), torch.Generator().manual_seed(6)
    book = Textbook(state, losses, RATES)
    for _ in range(8):
        batch, noise = drawn(torch.float64, 1, 2, 2, rng)
        update_block(losses, state, batch, noise, coefficients_of(torch.float64), True)
        book.block(batch, noise, True)
    ours, theirs = flat(state), book.flat()
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() <= 1e-9 * expected.norm(), name


def test_block_of_four_is_four_critic_updates_and_one_of_the_actor(policy_of):
    losses, rng = losses_of(), torch.Generator().manual_seed(7)
    together, apart = (state_of(policy_of, torch.float64) for _ in range(2))
    batch, noise = drawn(torch.float64, 4, 4, 2, rng)
    update_block(losses, together, batch, noise, coefficients_of(torch.float64), True)
    for k in range(4):
        one = Batch(*(getattr(batch, name)[k : k + 1] for name in Batch.__slots__))
        part = Noise({name: tensor[k : k + 1] for name, tensor in noise.target.items()}, {}, noise.actor_loss)
        update_block(losses, apart, one, part, coefficients_of(torch.float64), k == 3)
    for name, vector in flat(apart).items():
        assert torch.allclose(flat(together)[name], vector, rtol=1e-12, atol=1e-14), name


def snapshot(state):
    return {name: tensor.detach().clone() for name, tensor in state.tensors()}


def changed(state, before):
    """Groups of tensors of which one bit or more has changed."""
    return {name.split(".")[0] for name, tensor in state.tensors() if not torch.equal(tensor, before[name])}


def test_frozen_block_changes_critics_only(policy_of):
    state, rng = state_of(policy_of, torch.float32), torch.Generator().manual_seed(8)
    before = snapshot(state)
    for _ in range(5):
        update_block(losses_of(), state, *drawn(torch.float32, 2, 4, 2, rng), coefficients_of(torch.float32), False)
    assert changed(state, before) == {"critics", "targets", "critics_moments"}


def test_actor_update_does_not_touch_critics_or_reference(policy_of):
    """With their rates at zero nothing else may move them; and no gradient is left anywhere."""
    state, rng = state_of(policy_of, torch.float32), torch.Generator().manual_seed(9)
    before = snapshot(state)
    still = coefficients_of(torch.float32, critic_rate=0.0, tau=0.0)
    for _ in range(5):
        update_block(losses_of(anchored=True), state, *drawn(torch.float32, 2, 4, 2, rng), still, True)
    moments = {"actor_moments", "critics_moments", "temperature_moments"}
    assert changed(state, before) == {"actor", "temperature", "slope"} | moments
    for name in ("observation.mean", "observation.std"):
        assert torch.equal(state.networks["actor"][name], before[f"actor.{name}"])
    assert all(tensor.grad is None for _, tensor in state.tensors())


def test_critics_do_not_learn_from_the_actor_loss(policy_of):
    """Training the actor in a block leaves the critics of that block as they would be without."""
    with_actor, without = (state_of(policy_of, torch.float32) for _ in range(2))
    drawing = drawn(torch.float32, 3, 4, 2, torch.Generator().manual_seed(10))
    update_block(losses_of(), with_actor, *drawing, coefficients_of(torch.float32), True)
    update_block(losses_of(), without, *drawing, coefficients_of(torch.float32), False)
    for group in ("critics", "targets"):
        assert torch.equal(flat(with_actor)[group], flat(without)[group])


def test_actor_and_critics_see_normalised_clipped_observations(policy_of):
    """Shifting and scaling observations and statistics alike changes nothing; nor does going beyond ten deviations."""
    state, other = (state_of(policy_of, torch.float64) for _ in range(2))
    for parameters in (other.networks["actor"], other.networks["reference"]):
        parameters["observation.mean"].mul_(3.0).add_(2.0)
        parameters["observation.std"].mul_(3.0)
    batch, noise = drawn(torch.float64, 2, 4, 2, torch.Generator().manual_seed(11))
    mean, std = (state.networks["actor"][f"observation.{name}"] for name in ("mean", "std"))
    far = batch.observation.clone()
    far[:, 0] = mean + 50.0 * std
    farther = far.clone()
    farther[:, 0] = mean + 900.0 * std
    rest = {name: getattr(batch, name) for name in ("action", "reward", "discount", "returns")}
    first = Batch(observation=far, next_observation=batch.next_observation, **rest)
    second = Batch(observation=3 * farther + 2, next_observation=3 * batch.next_observation + 2, **rest)
    update_block(losses_of(), state, first, noise, coefficients_of(torch.float64), True)
    update_block(losses_of(), other, second, noise, coefficients_of(torch.float64), True)
    for name, vector in flat(state).items():
        assert torch.allclose(vector, flat(other)[name], rtol=1e-9, atol=1e-12), name


def test_temperature_moves_towards_the_target_entropy(policy_of):
    for target_entropy, direction in ((-50.0, -1), (50.0, 1)):
        state = state_of(policy_of, torch.float64)
        losses = dataclasses.replace(losses_of(), target_entropy=target_entropy)
        log_alpha = state.networks["temperature"]["log_alpha"]
        before = log_alpha.item()
        drawing = drawn(torch.float64, 1, 4, 2, torch.Generator().manual_seed(12))
        update_block(losses, state, *drawing, coefficients_of(torch.float64), True)
        assert (log_alpha.item() - before) * direction > 0


def test_metrics_are_scalars_of_what_happened(policy_of):
    state = state_of(policy_of, torch.float64)
    drawing = drawn(torch.float64, 2, 4, 2, torch.Generator().manual_seed(13))
    frozen = update_block(losses_of(), state, *drawing, coefficients_of(torch.float64), False)
    assert set(frozen) == {"critic_loss"}
    alpha = state.networks["temperature"]["log_alpha"].exp().item()
    metrics = update_block(losses_of(), state, *drawing, coefficients_of(torch.float64), True)
    assert {"critic_loss", "actor_loss", "entropy", "alpha"} <= set(metrics)
    assert metrics["alpha"].item() == pytest.approx(alpha)
    for value in metrics.values():
        assert value.shape == () and not value.requires_grad
