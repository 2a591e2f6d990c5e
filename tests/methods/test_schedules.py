import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.methods.schedules import Constant, Linear, Progress


@given(st.integers(0, 10**9))
def test_constant_is_constant(step):
    assert Constant(2.5)(Progress(step)) == 2.5


@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(1, 10**6), st.integers(0, 2 * 10**6))
def test_linear_goes_straight_from_start_to_end_and_stays(start, end, steps, step):
    schedule = Linear(start, end, steps)
    expected = end if step >= steps else start + (end - start) * step / steps
    assert schedule(Progress(step)) == pytest.approx(expected, abs=1e-9)
    assert schedule(Progress(steps)) == end
    assert schedule(Progress(0)) == pytest.approx(start)


def test_linear_over_no_steps_is_refused():
    with pytest.raises(ValueError, match="steps 0"):
        Linear(1.0, 0.0, 0)
