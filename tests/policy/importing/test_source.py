"""Spaces, ranges, chunks and memory of a source."""

import numpy as np
import pytest

from porl_robot.errors import UserError

FIRST = "def policy(o): return np.tanh(o[:3])"
CHUNK = "def policy(o): return np.stack([np.tanh(o[:3]) * k for k in (1., .5, .25)])"
COUNTS = """
class policy:
    n = 0
    def reset(self): self.n = 0
    def __call__(self, o):
        self.n += 1
        return np.full(3, self.n / 100)
"""


def test_actions_are_mapped_from_the_range_of_the_source(callable_source, observations):
    source = callable_source("def policy(o): return np.array([0., 3., 4.])", action_low=[0], action_high=[4])
    np.testing.assert_allclose(source.act(observations[0]), [-1.0, 0.5, 1.0])


def test_observations_are_chosen_in_order(callable_source, observations):
    source = callable_source(FIRST, observation_indices=[5, 0, 2])
    np.testing.assert_allclose(source.act(observations[0]), np.tanh(observations[0][[5, 0, 2]]), rtol=1e-6)


def test_a_chunk_is_executed_before_the_next_query(callable_source, observations):
    source = callable_source(CHUNK, chunk=2)
    o, p = observations[:2]
    source.reset()
    given = [source.act(o), source.act(p), source.act(p)]
    np.testing.assert_allclose(given, [np.tanh(o[:3]), np.tanh(o[:3]) / 2, np.tanh(p[:3])], rtol=1e-6)
    source.act(o)
    source.act(o)
    source.reset()
    np.testing.assert_allclose(source.act(p), np.tanh(p[:3]), rtol=1e-6)
    np.testing.assert_allclose(source.label(o), np.tanh(o[:3]), rtol=1e-6)


def test_a_stateful_source_is_asked_in_order_from_a_reset_on(callable_source, observations):
    source = callable_source(COUNTS, stateful=True)
    for _ in range(2):
        np.testing.assert_allclose(source.labels(observations[:4])[:, 0], [0.01, 0.02, 0.03, 0.04])
    rows, actions = source.examples([observations[:4]], seed=0)
    assert len(rows) == len(actions) == 4


def test_the_label_of_a_stochastic_source_is_a_mean(callable_source, observations):
    code = "def policy(o): return np.random.choice([-.5, .5], 3)"
    labels = callable_source(code, stochastic=True).labels(observations)
    assert np.abs(labels).max() <= 0.5 and np.abs(labels).mean() < 0.25


def test_neighbours_without_an_answer_are_left_out(callable_source, observations):
    within = float(np.abs(observations).max())
    code = f"def policy(o): return np.tanh(o[:3]) if abs(o).max() <= {within!r} else np.full(3, np.nan)"
    rows, actions = callable_source(code).examples([observations], seed=0)
    assert len(observations) < len(rows) == len(actions) < 8 * len(observations)
    assert np.isfinite(actions).all()


@pytest.mark.parametrize(("code", "declared", "says"), [
    ("def policy(o): return o[:4]", {}, r"gives an action of shape \(4,\); task takes \(3,\)"),
    (CHUNK, {}, r"gives actions of shape \(3, 3\), a chunk of 3; say with chunk=1 to chunk=3"),
    (CHUNK, {"chunk": 4}, r"gives an action of shape \(3, 3\); task takes \(4 or more, 3\)"),
    ("def policy(o): return o @ np.zeros((9, 3))", {}, r"does not accept an observation of 6 numbers \(ValueError"),
    ("def policy(o): raise KeyError('image')", {}, r"observation of 6 numbers \(KeyError: 'image'\)"),
    ("def policy(o): return {'action': o}", {}, "answers with a dict that is no array of real numbers"),
    ("def policy(o): return 'up'", {}, "answers with a str that is no array of real numbers"),
    ("def policy(o): return 1j * o[:3]", {}, "its numbers are complex"),
    ("def policy(o): return np.array([0, np.nan, 0])", {}, "gives a non-finite action in dimension 1"),
    (FIRST, {"action_low": [0, 0], "action_high": [1]}, r"action_low has 2 numbers; task takes 3 \(or one\)"),
    (FIRST, {"action_low": [1], "action_high": [1]}, "action_low is not below action_high"),
    (FIRST, {"observation_indices": [6]}, "6 is beyond the 6 observations of task"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(callable_source, observations, code, declared, says):
    with pytest.raises(UserError, match=says):
        callable_source(code, **declared).act(observations[0])


def test_files_of_other_sizes_are_refused_at_once(source_of, sb3):
    with pytest.raises(UserError, match=r"takes 18 observations, task gives 6; choose them with observation_indices"):
        source_of(sb3 / "sac.zip")
