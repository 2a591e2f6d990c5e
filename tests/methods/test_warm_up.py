import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.methods.warm_up import (
    Evidence,
    PreSample,
    WarmUp,
    keep_sampling,
    missing_evidence,
    rank_correlation,
)

EVIDENCE = Evidence(successes=3, failures=3, rank_correlation=0.2, enough_successes=10)
GOOD = PreSample(steps=2000, successes=10, failures=3)


def seen(**changes):
    return dataclasses.replace(GOOD, **changes)


@pytest.mark.parametrize(
    ("pre_sample", "goes_on"),
    [
        (seen(steps=1999, successes=50, failures=50), True),
        (seen(), False),
        (seen(successes=9), True),
        (seen(failures=2), True),
        (seen(successes=0, failures=50, steps=3999), True),
        (seen(successes=0, failures=50, steps=4000), False),
        (seen(successes=50, failures=0, steps=4500), False),
        (seen(successes=None, failures=None), False),
        (seen(successes=None, failures=None, steps=1999), True),
    ],
)
def test_pre_sample_goes_on_until_enough_is_seen_or_twice_its_length(pre_sample, goes_on):
    assert keep_sampling(EVIDENCE, 2000, pre_sample) is goes_on


def test_without_conditions_only_the_length_counts():
    nothing = seen(successes=0, failures=0)
    assert keep_sampling(None, 2001, nothing)
    assert not keep_sampling(None, 2000, nothing)
    assert missing_evidence(None, nothing, float("nan")) is None


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 5000), st.integers(0, 20000))
def test_pre_sample_always_ends(successes, failures, planned, steps):
    if steps >= 2 * planned:
        assert not keep_sampling(EVIDENCE, planned, PreSample(steps, successes, failures))


@pytest.mark.parametrize(
    ("pre_sample", "correlation", "names"),
    [
        (seen(successes=2), 0.9, ("succeeded in 2 episodes", "3 are needed")),
        (seen(successes=0, failures=0), 0.9, ("succeeded in 0 episodes",)),
        (seen(failures=2), 0.9, ("failed in 2 episodes", "3 are needed")),
        (seen(), 0.19, ("0.19", "0.20")),
        (seen(), -1.0, ("-1.00", "0.20")),
        (seen(), float("nan"), ("nan", "0.20")),
        (seen(successes=None, failures=None), 0.1, ("0.10", "0.20")),
        (seen(successes=None, failures=None), float("nan"), ("nan",)),
    ],
)
def test_missing_evidence_is_named(pre_sample, correlation, names):
    reason = missing_evidence(EVIDENCE, pre_sample, correlation)
    assert reason is not None and "\n" not in reason
    for name in names:
        assert name in reason


@pytest.mark.parametrize(
    ("pre_sample", "correlation"),
    [
        (seen(), 0.2),
        (seen(successes=3), 1.0),
        (seen(), None),
        (seen(successes=None, failures=None), 0.5),
        (seen(successes=None, failures=None), None),
    ],
)
def test_enough_evidence(pre_sample, correlation):
    assert missing_evidence(EVIDENCE, pre_sample, correlation) is None


def ranks_by_hand(values):
    """Average ranks by counting."""
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=40))
def test_rank_correlation_is_pearson_of_the_ranks(pairs):
    values, returns = np.array(pairs, np.float32).T
    found = rank_correlation(values, returns)
    if len(set(values)) == 1 or len(set(returns)) == 1:
        assert np.isnan(found)
    else:
        expected = np.corrcoef(ranks_by_hand(values), ranks_by_hand(returns))[0, 1]
        assert found == pytest.approx(expected, abs=1e-6)


def test_rank_correlation_ignores_the_level_and_the_scale():
    returns = np.random.default_rng(0).normal(size=100)
    assert rank_correlation(np.exp(returns) - 50.0, returns) == pytest.approx(1.0)
    assert rank_correlation(-(returns**3), returns) == pytest.approx(-1.0)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("gone", [float("nan"), float("inf")])
def test_critics_that_diverged_are_no_evidence(gone):
    values, returns = np.arange(10.0), np.arange(10.0)
    values[:] = gone
    correlation = rank_correlation(values, returns)
    assert missing_evidence(EVIDENCE, GOOD, correlation) is not None


def test_negative_length_is_refused():
    with pytest.raises(ValueError, match=r"warm_up\.steps -1"):
        WarmUp(-1, False)
