"""Networks, rows and targets small enough to check losses by hand, and the gradients of those."""

import torch

from porl_robot.methods.critics import action_values, random_critics, values
from porl_robot.methods.networks import Context
from porl_robot.policy.network import random_parameters
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.buffer import Batch

D, A, B, E = 3, 2, 8, 2
CONTEXT = Context((-30.0, 0.0))
ACTORS = ("actor", "reference", "average")
CRITICS = ("critics", "targets", "offline_critics")


def scene(seed=0):
    """Networks with gradients in double precision, normalised rows, and targets of either bank."""
    rng = torch.Generator().manual_seed(seed)
    networks = {name: random_parameters(PolicySpec("toy", D, A, 20.0, (6,)), rng) for name in ACTORS}
    networks |= {name: random_critics(E, D + A, (9, 8), rng, output_bias=-2.0) for name in CRITICS}
    networks |= {name: random_critics(1, D, (7, 6), rng, output_bias=-2.0) for name in ("value", "reference_value")}
    networks["multiplier"] = {"log_weight": torch.tensor(0.0)}
    networks = {
        group: {name: (2.0 * tensor if "mean" in name else tensor).double().requires_grad_()
                for name, tensor in tensors.items()}
        for group, tensors in networks.items()
    }  # fmt: skip

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    rows = Batch(normal(B, D), normal(B, A).tanh(), normal(B, D), -normal(B).abs(), torch.full((B,), 0.9).double(),
                 normal(B) - 2.0)  # fmt: skip
    with torch.no_grad():  # V among the values, so that advantages have either sign
        for group in (*CRITICS, "value"):
            networks[group]["w_out"] *= 4.0
        worth = action_values(networks["targets"], rows.observation, rows.action).amin(0)
        networks["value"]["b_out"] += (worth - values(networks["value"], rows.observation)[0]).mean()
    noise = {"action": normal(1, B, A), "choice": torch.rand(B, generator=rng).double()}
    return networks, rows, {"critics": normal(B) - 2.0, "offline_critics": normal(B) - 2.0}, noise


def context(**weights):
    return Context((-30.0, 0.0), {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()})


def slopes(loss, networks, group):
    """Gradients of a group by name; zero where it has none."""
    tensors = networks[group]
    found = torch.autograd.grad(loss, list(tensors.values()), retain_graph=True, allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(tensors.items(), found, strict=True)}


def silent(loss, networks, group):
    return all((slope == 0).all() for slope in slopes(loss, networks, group).values())


def assert_close(ours, theirs):
    for name, slope in theirs.items():
        assert torch.allclose(ours[name], slope, rtol=1e-7, atol=1e-11), name
    assert any((slope != 0).any() for slope in theirs.values())
