"""One perceptron in every form a policy comes in."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from porl_robot.policy.importing.declaration import Declaration, Network
from porl_robot.policy.importing.load import load
from porl_robot.policy.importing.source import Source

OBSERVATIONS, ACTIONS = 6, 3
LAYERS = ["trunk.0", "trunk.2", "head"]
"""Of the perceptron below, without what it normalises by."""


class Actor(torch.nn.Module):
    """Normalises, ReLU, tanh."""

    def __init__(self, activation=torch.nn.ReLU):
        super().__init__()
        torch.manual_seed(3)
        sizes = (OBSERVATIONS, 12, 12)
        layers = [(torch.nn.Linear(*pair), activation()) for pair in pairwise(sizes)]
        self.trunk = torch.nn.Sequential(*(part for layer in layers for part in layer))
        self.head = torch.nn.Linear(12, ACTIONS)
        self.register_buffer("mean", torch.linspace(-1, 1, OBSERVATIONS))
        self.register_buffer("std", torch.linspace(0.5, 2, OBSERVATIONS))

    def forward(self, observation):
        return torch.tanh(self.head(self.trunk((observation - self.mean) / self.std)))


def saved(module, kind, folder):
    """The file of `module` as `kind`."""
    path, example = folder / f"policy.{kind}", torch.zeros(1, OBSERVATIONS)
    if kind == "torchscript":
        torch.jit.trace(module, example).save(str(path))
    elif kind == "export":
        torch.export.save(torch.export.export(module, (example,)), path)
    elif kind == "onnx":
        torch.onnx.export(module, (example,), str(path), dynamo=False)
    else:
        torch.save(module.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def bare():
    """A state dict read without what is beside its layers."""
    return Network(layers=LAYERS)


@pytest.fixture(scope="session")
def actor():
    return Actor().eval()


@pytest.fixture(scope="session")
def actor_of():
    return Actor


@pytest.fixture(scope="session")
def save():
    return saved


@pytest.fixture(scope="session")
def observations():
    return np.random.default_rng(1).normal(0, 1.5, (200, OBSERVATIONS)).astype("f4")


@pytest.fixture
def source_of():
    """The source at a place, for the task `env` of the given sizes."""

    def made(place, sizes=(OBSERVATIONS, ACTIONS), **declared):
        declaration = Declaration(**declared)
        return Source(load(str(place), declaration), declaration, str(place), "task", *sizes)

    return made


@pytest.fixture
def callable_source(tmp_path, source_of):
    """The source of Python code that defines `policy`."""

    def made(code, **keys):
        path = tmp_path / "mine.py"
        path.write_text(f"import numpy as np\nimport torch\n{code}\n")
        return source_of(f"{path}:policy", **keys)

    return made


@pytest.fixture(scope="session")
def sb3():
    return Path(__file__).parent / "sb3"
