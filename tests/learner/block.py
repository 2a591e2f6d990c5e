"""What one block of updates works on, small: a state, a batch with its noise, losses and coefficients."""

import torch

from porl_robot.learner.optimizer import Moments
from porl_robot.learner.state import LearnerState, Sizes, initial_state
from porl_robot.learner.update import Coefficients, Losses, Noise
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
