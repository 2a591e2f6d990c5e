import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.analysis.statistics import learning_curve_metrics, wilson


def curve(*points, dense=False):
    """Points are (env_steps, success), or (env_steps, return) where `dense`."""
    return [
        {
            "env_steps": steps,
            "success": None if dense else value,
            "episodes": 50,
            "return_mean": value if dense else -10.0,
        }
        for steps, value in points
    ]


@pytest.mark.parametrize(
    ("success", "episodes", "low", "high"),
    # Values of scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
    [
        (0.5, 10, 0.236593, 0.763407),
        (1.0, 50, 0.928651, 1.0),
        (0.0, 20, 0.0, 0.161125),
        (0.96, 50, 0.865396, 0.988956),
    ],
)
def test_wilson_matches_known_values(success, episodes, low, high):
    assert wilson(success, episodes) == pytest.approx((low, high), abs=1e-5)


@given(st.integers(0, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_stays_in_range(counts):
    successes, episodes = counts
    rate = successes / episodes if episodes else 0.5
    low, high = wilson(rate, episodes)
    assert 0.0 <= low <= rate <= high <= 1.0


@pytest.mark.parametrize(("success", "episodes"), [(1.2, 10), (-0.1, 10), (0.5, -1), (float("nan"), 10)])
def test_wilson_refuses_what_is_no_rate(success, episodes):
    with pytest.raises(ValueError, match="no success rate"):
        wilson(success, episodes)


def test_worst_is_the_lowest_pair_after_the_unfreeze():
    points = curve((0, 0.1), (100, 0.1), (200, 0.6), (300, 0.4), (400, 0.5), (500, 0.9))
    assert learning_curve_metrics(points, 100)["worst_after_unfreeze"] == pytest.approx(0.45)


def test_an_evaluation_at_the_unfreeze_still_shows_the_frozen_policy():
    points = curve((100, 0.0), (200, 0.6), (300, 0.8))
    assert learning_curve_metrics(points, 100)["worst_after_unfreeze"] == pytest.approx(0.7)


def test_one_evaluation_after_the_unfreeze_is_not_enough():
    assert learning_curve_metrics(curve((0, 0.5), (200, 0.6)), 100)["worst_after_unfreeze"] is None


def test_steps_to_take_the_first_evaluation_that_is_good_enough():
    points = curve((0, 0.5), (100, 0.90), (200, 0.88), (300, 0.96), (400, 1.0))
    metrics = learning_curve_metrics(points, 50)
    assert metrics["steps_to_90"] == 100
    assert metrics["steps_to_95"] == 300


def test_steps_never_reached_are_null():
    metrics = learning_curve_metrics(curve((0, 0.5), (100, 0.6), (200, 0.7)), 0)
    assert metrics["steps_to_90"] is None
    assert metrics["steps_to_95"] is None


def test_dense_tasks_use_the_return():
    points = curve((0, -300.0), (100, -250.0), (200, -350.0), (300, -100.0), dense=True)
    metrics = learning_curve_metrics(points, 0)
    assert metrics == {"worst_after_unfreeze": -300.0, "steps_to_90": None, "steps_to_95": None}


@pytest.mark.parametrize("points", [curve(), curve((0, 0.95), (100, 0.95), (200, 0.95))])
def test_a_run_that_never_unfroze_says_nothing(points):
    assert set(learning_curve_metrics(points, None).values()) == {None}
