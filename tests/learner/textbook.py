"""Soft actor-critic as a textbook has it: one module per network, torch's Adam, step by step."""

import copy
import itertools

import torch
from torch import nn

from .block import RADIUS


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
        """Every network as one vector, in the order of `block.flat`."""
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
