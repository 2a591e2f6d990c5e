"""What is measured before a source may move anything."""

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.policy.importing.checks import require_usable

FINE = "def policy(o): return np.tanh(o[:3])"
OWN_RANDOMNESS = "g = np.random.default_rng(0)\ndef policy(o): return np.tanh(o[:3]) + .1 * g.normal(size=3)"
GLOBAL_RANDOMNESS = "def policy(o): return np.tanh(o[:3]) + .1 * np.random.normal(size=3)"
TORCH_RANDOMNESS = "def policy(o): return torch.tanh(torch.tensor(o[:3])) + .1 * torch.randn(3)"
MEMORY = """
class policy:
    last = np.zeros(3)
    def reset(self): self.last = np.zeros(3)
    def __call__(self, o):
        self.last = .5 * self.last + .1 * np.tanh(o[:3])
        return self.last
"""
FORGETS_NOTHING = MEMORY.replace("def reset(self): self.last = np.zeros(3)", "def reset(self): pass")


@pytest.mark.parametrize(("code", "declared"), [
    (FINE, {}),
    ("def policy(o): return 1.2 * np.tanh(o[:3])", {}),
    ("def policy(o): return 9 * o[:3]", {"clip": True}),
    ("def policy(o): return 3 * np.tanh(o[:3]) + 1", {"action_low": [-2], "action_high": [4]}),
    (GLOBAL_RANDOMNESS, {"stochastic": True}),
    (OWN_RANDOMNESS, {"stochastic": True}),
    (MEMORY, {"stateful": True}),
    (FORGETS_NOTHING, {"stateful": True, "stochastic": True}),
])  # fmt: skip
def test_what_is_as_declared_passes(callable_source, observations, code, declared):
    require_usable(callable_source(code, **declared), observations)


@pytest.mark.parametrize(("code", "declared", "says"), [
    ("def policy(o): return np.array([0, 0, 31.4])", {},
     r"actions reach 31.4 in dimension 2 where the space ends at 1 \(beyond it in 100% of 200 actions\); give the "
     r"source's own range as action_low=\[...\] action_high=\[...\], or clip=true"),
    ("def policy(o): return np.array([0, -9 * (o[0] > 2.5), 0])", {}, "reach -9 in dimension 1 where .* ends at -1"),
    ("def policy(o): return np.array([1.4 * np.sign(o[0]), 0, 0])", {}, "actions reach .*1.4 in dimension 0"),
    ("def policy(o): return np.full(3, 7.)", {"action_low": [-2], "action_high": [2]}, "reach 7 .* ends at 2"),
    ("def policy(o): return np.where(o[:3] > 2, np.nan, 0)", {},
     r"gives a non-finite action at \d+ of 200 observations \(first at number \d+ in dimension \d\)"),
    ("def policy(o): return np.full(3, np.inf)", {"clip": True}, "gives a non-finite action at 200 of 200"),
    (GLOBAL_RANDOMNESS, {}, r"is stochastic: two queries of one observation differ by up to 0\.\d+ in dimension \d"),
    (TORCH_RANDOMNESS, {}, "declare stochastic=true"),
    (OWN_RANDOMNESS, {}, "stateful, or draws random numbers of its own; declare stateful=true or stochastic=true"),
    (MEMORY, {}, r"brings another action after other observations \(by up to 0\.\d+ in dimension \d\)"),
    (FORGETS_NOTHING, {"stateful": True}, r"does not begin anew: .* give it a method reset\(\)"),
])  # fmt: skip
def test_what_is_not_is_refused_with_the_evidence(callable_source, observations, code, declared, says):
    with pytest.raises(UserError, match=says):
        require_usable(callable_source(code, **declared), observations)


def test_rounding_is_no_randomness(callable_source, observations):
    code = "n = [0]\ndef policy(o):\n  n[0] += 1\n  return np.tanh(o[:3]) + 1e-6 * (n[0] % 2)"
    require_usable(callable_source(code), np.asarray(observations))
