import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from porl_robot.methods.critics import action_values, members_of, random_critics


def modules(parameters):
    """One plain module per member with its weights; layer normalisation without affine parameters."""
    members = []
    for e in range(len(parameters["b_out"])):
        layers, i = [], 0
        while f"w{i}" in parameters:
            weight = parameters[f"w{i}"][e]
            linear = nn.Linear(*weight.shape, dtype=weight.dtype)
            linear.weight.data, linear.bias.data = weight.T.clone(), parameters[f"b{i}"][e, 0].clone()
            layers += [linear, nn.LayerNorm(weight.shape[1], elementwise_affine=False), nn.ReLU()]
            i += 1
        out = nn.Linear(parameters["w_out"].shape[-1], 1, dtype=parameters["w_out"].dtype)
        out.weight.data, out.bias.data = parameters["w_out"][e].clone(), parameters["b_out"][e].clone()
        members.append(nn.Sequential(*layers, out))
    return members


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(1, 3),
    st.lists(st.integers(2, 9), min_size=1, max_size=3),
    st.integers(1, 7),
)
def test_stacked_critics_equal_a_loop_of_modules(members, n_obs, n_act, hidden, batch):
    rng = generator(members)
    parameters = random_critics(members, n_obs + n_act, tuple(hidden), rng, output_bias=-3.0)
    parameters = {name: tensor.double() for name, tensor in parameters.items()}
    observations = torch.randn(batch, n_obs, generator=rng, dtype=torch.float64)
    actions = torch.rand(batch, n_act, generator=rng, dtype=torch.float64) * 2 - 1
    values = action_values(parameters, observations, actions)
    together = torch.cat([observations, actions], 1)
    expected = torch.stack([member(together)[:, 0] for member in modules(parameters)])
    assert values.shape == (members, batch)
    assert torch.allclose(values, expected, rtol=1e-9, atol=1e-9)


def test_gradients_equal_those_of_the_modules_and_stay_with_their_member():
    rng = generator(1)
    parameters = {name: t.double().requires_grad_() for name, t in random_critics(3, 4 + 2, (8, 8), rng).items()}
    observations = torch.randn(6, 4, generator=rng, dtype=torch.float64)
    actions = torch.rand(6, 2, generator=rng, dtype=torch.float64)
    action_values(parameters, observations, actions)[1].square().sum().backward()
    member = modules({name: t.detach() for name, t in parameters.items()})[1]
    member(torch.cat([observations, actions], 1)).square().sum().backward()
    for name, gradient in ((name, t.grad) for name, t in parameters.items()):
        assert torch.count_nonzero(gradient[[0, 2]]) == 0, name
    linears = [layer for layer in member if isinstance(layer, nn.Linear)]
    for i, linear in enumerate(linears[:-1]):
        assert torch.allclose(parameters[f"w{i}"].grad[1], linear.weight.grad.T, atol=1e-10)
        assert torch.allclose(parameters[f"b{i}"].grad[1, 0], linear.bias.grad, atol=1e-10)
    assert torch.allclose(parameters["w_out"].grad[1], linears[-1].weight.grad, atol=1e-10)
    assert torch.allclose(parameters["b_out"].grad[1], linears[-1].bias.grad, atol=1e-10)


def test_float32_agrees_with_float64():
    rng = generator(2)
    parameters = random_critics(10, 18 + 4, (64, 64), rng, output_bias=-20.0)
    observations, actions = torch.randn(64, 18, generator=rng), torch.rand(64, 4, generator=rng)
    exact = action_values({n: t.double() for n, t in parameters.items()}, observations.double(), actions.double())
    values = action_values(parameters, observations, actions)
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values, exact, rtol=1e-5)


def test_members_differ_and_start_near_the_output_bias():
    parameters = random_critics(6, 18 + 4, (64, 64), generator(3), output_bias=-17.0)
    values = action_values(parameters, torch.randn(50, 18), torch.rand(50, 4))
    assert values.std(0).min() > 0.01
    assert (values.mean() + 17.0).abs() < 1.0


def test_initial_weights_are_uniform_in_their_bounds_and_follow_the_seed():
    first, again = (random_critics(4, 18 + 4, (64, 32), generator(5)) for _ in range(2))
    for name, fan_in in {"w0": 22, "b0": 22, "w1": 64, "b1": 64, "w_out": 32}.items():
        assert torch.equal(first[name], again[name])
        bound = 1 / math.sqrt(fan_in)
        assert 0.9 * bound < first[name].abs().max() <= bound
        uniform_std = bound / math.sqrt(3)
        assert first[name].std().item() == pytest.approx(uniform_std, rel=0.2)
    assert torch.count_nonzero(first["b_out"]) == 0


def test_members_of_gathers_in_the_order_given():
    parameters = random_critics(5, 3 + 1, (4,), generator(4))
    observations, actions = torch.randn(7, 3), torch.rand(7, 1)
    chosen = torch.tensor([3, 0])
    values = action_values(members_of(parameters, chosen), observations, actions)
    # Not bit for bit: the shape of a batched product may choose its kernel.
    assert torch.allclose(values, action_values(parameters, observations, actions)[chosen], atol=1e-6)
