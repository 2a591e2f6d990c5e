"""The last limits hold whatever is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.arm.envelope import Envelope
from porl_robot.safety import JointLimits

ONES = np.ones(2)
LIMITS = JointLimits(("pan", "lift"), -ONES, ONES, 2 * ONES, 60 * ONES, 3000 * ONES)


def begun(position: tuple[float, float] = (0.0, 0.0)) -> Envelope:
    envelope = Envelope(LIMITS)
    envelope.begin(np.array(position))
    return envelope


def test_a_goal_inside_passes_unchanged() -> None:
    assert begun().allowed(np.array([0.01, -0.02]), 0.01).tolist() == [0.01, -0.02]


def test_a_fast_goal_is_reached_later() -> None:
    envelope = begun()
    assert envelope.allowed(np.array([0.5, 0.0]), 0.01) == pytest.approx([0.02, 0.0])
    assert envelope.allowed(np.array([0.5, 0.0]), 0.01) == pytest.approx([0.04, 0.0])


def test_a_long_pause_earns_no_leap() -> None:
    assert begun().allowed(np.array([1.0, 0.0]), 30.0) == pytest.approx([0.1, 0.0])


def test_from_outside_the_range_the_way_back_is_slow() -> None:
    envelope = begun((1.5, 0.0))
    assert envelope.allowed(np.array([1.5, 0.0]), 0.01) == pytest.approx([1.48, 0.0])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused_not_clipped(value: float) -> None:
    with pytest.raises(ValueError, match="joint lift is not finite"):
        begun().allowed(np.array([0.0, value]), 0.01)


def test_the_wrong_number_of_joints_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(2,\)"):
        begun().allowed(np.zeros(3), 0.01)


def test_nothing_passes_before_a_position_is_known() -> None:
    with pytest.raises(ValueError, match="no position"):
        Envelope(LIMITS).allowed(np.zeros(2), 0.01)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1.0, 1.0)), min_size=1, max_size=30))
def test_no_sequence_of_goals_leaves_the_range_or_the_speed(goals: list[tuple[float, float]]) -> None:
    envelope, last = begun(), np.zeros(2)
    for value, elapsed in goals:
        allowed = envelope.allowed(np.array([value, -value]), elapsed)
        assert (np.abs(allowed) <= 1.0).all()
        assert (np.abs(allowed - last) <= 2.0 * min(max(elapsed, 0.0), 0.05) + 1e-12).all()
        last = allowed
