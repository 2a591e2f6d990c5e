import pytest
import torch

from porl_robot.learner.optimizer import Moments, adam_step, follow


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_adam_equals_torch(dtype, tolerance, scale):
    rng = generator()
    shapes = [(3, 4), (5,), ()]
    ours = [torch.randn(shape, generator=rng, dtype=dtype) for shape in shapes]
    theirs = [tensor.clone().requires_grad_() for tensor in ours]
    start = [tensor.clone() for tensor in ours]
    optimizer = torch.optim.Adam(theirs, lr=3e-3)
    moments = Moments.zeros(ours)
    moments = Moments(moments.first, moments.second, moments.step.to(dtype))
    for _ in range(100):
        gradients = [scale * torch.randn(shape, generator=rng, dtype=dtype) for shape in shapes]
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
        adam_step(ours, tuple(gradients), moments, torch.tensor(3e-3, dtype=dtype))
    assert moments.step == 100
    for our, their, first in zip(ours, theirs, start, strict=True):
        moved = (their - first).norm()
        assert (our - their).norm() <= tolerance * (moved + their.norm())


def test_rate_of_zero_changes_nothing_but_the_memory():
    parameter, gradient = torch.randn(4, generator=generator()), torch.ones(4)
    before, moments = parameter.clone(), Moments.zeros([parameter])
    adam_step([parameter], (gradient,), moments, torch.tensor(0.0))
    assert torch.equal(parameter, before)
    assert moments.first[0].count_nonzero() == 4


@pytest.mark.parametrize("tau", [0.0, 0.02, 1.0])
def test_targets_follow_by_their_share(tau):
    rng = generator(1)
    targets, parameters = ([torch.randn(3, 2, generator=rng), torch.randn(4, generator=rng)] for _ in range(2))
    expected = [(1 - tau) * target + tau * parameter for target, parameter in zip(targets, parameters, strict=True)]
    kept = [parameter.clone() for parameter in parameters]
    follow(targets, parameters, torch.tensor(tau))
    for target, wanted in zip(targets, expected, strict=True):
        assert torch.allclose(target, wanted, atol=1e-6)
    for parameter, before in zip(parameters, kept, strict=True):
        assert torch.equal(parameter, before)
