"""Coefficients that change in the course of a run: with its steps, or as acting earns it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.methods.schedules import Constant, Earned, Linear, Progress
from porl_robot.replay.buffer import Outcome

WON, LOST = Outcome(20, -19.0, True, True), Outcome(80, -80.0, False, False)
HALF = [WON, LOST] * 20
"""What the frozen policy did."""


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


def earned(online, frozen=HALF, **given):
    schedule = Earned(**{"start": 0.0, "end": 1.0, "steps": 1000} | given)
    return schedule(Progress(sum(each.steps for each in online), [*frozen, *online], None, len(frozen), frozen))


def test_acting_as_well_as_before_earns_its_steps():
    assert earned([]) == 0.0
    assert earned([WON] * 10) == pytest.approx(200 / 1000)
    assert earned([WON] * 70) == 1.0
    assert earned([WON] * 10, start=0.02, end=0.5) == pytest.approx(0.02 + 0.48 * 0.2)
    assert earned([WON, LOST] * 10) == pytest.approx(10 * 100 / 1000)


def test_acting_worse_than_before_earns_nothing():
    assert earned([LOST] * 60) == 0.0


def test_what_was_earned_is_lost_at_the_same_pace_while_acting_is_worse():
    risen = [WON] * 30
    assert earned(risen) == pytest.approx(0.6)
    # Eleven failures among the last twenty are within half a standard error (.056), and still count for it.
    assert earned([*risen, *[LOST] * 11]) == 1.0
    values = [earned([*risen, *[LOST] * lost]) for lost in range(11, 25)]
    assert values == pytest.approx([max(1.0 - 0.08 * k, 0.0) for k in range(14)])
    assert earned([*risen, *[LOST] * 40, *[WON] * 40]) == pytest.approx(32 * 20 / 1000)
    assert earned([*risen, *[LOST] * 11], tolerance=0.0) == pytest.approx(0.92)


@given(st.lists(st.booleans(), max_size=120), st.lists(st.booleans(), max_size=60))
def test_it_equals_the_recurrence(online, frozen):
    results = [float(won) for won in [*frozen, *online]]
    level = 0
    for index in range(len(frozen), len(results)):
        recent = results[: index + 1][-20:]
        bar = sum(results[: len(frozen)]) / max(len(frozen), 1)
        error = (bar * (1.0 - bar) / 20) ** 0.5
        falls = len(frozen) > 0 and len(recent) == 20 and sum(recent) / 20 < bar - 0.5 * error
        steps = 20 if results[index] else 80
        level = max(level - steps, 0) if falls else min(level + steps, 1000)
    kinds = [[WON if won else LOST for won in each] for each in (online, frozen)]
    assert earned(kinds[0], kinds[1]) == pytest.approx(level / 1000)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 5.0), (200.0, -3.0)])
def test_without_success_the_returns_decide_whatever_their_scale(scale, shift):
    """Returns of 1, 0, 1, 0, ... before; later .6 on average, then .4."""
    frozen, better, worse = (
        [Outcome(50, scale * each + shift, False) for each in returns * 20]
        for returns in ([1.0, 0.0], [1.2, 0.0], [0.8, 0.0])
    )
    assert earned(better[:10], frozen) == pytest.approx(0.5)
    assert earned(worse, frozen) == 0.0
    assert earned([*better[:20], *worse[:30]], frozen) < 0.5


def test_what_was_discarded_counts_for_nothing():
    discarded = [Outcome(30, -30.0, False, None)] * 9
    assert earned([*[WON] * 10, *discarded]) == earned([WON] * 10)
    back = [[LOST] * 20, [WON] * 12]
    assert earned([*back[0], *discarded, *back[1]], [*discarded, *HALF]) == earned([*back[0], *back[1]]) > 0


def test_only_what_was_done_with_the_same_noise_is_compared():
    schedule, quiet = Earned(0.0, 1.0, 1000), [WON] * 40
    online = [WON, LOST] * 20
    assert schedule(Progress(0, [*HALF, *quiet, *online], None, 80, HALF)) == 1.0
    assert schedule(Progress(0, [*HALF, *quiet, *online], None, 80, [*HALF, *quiet])) < 0.5


def test_with_nothing_to_compare_it_grows():
    assert earned([LOST] * 10, []) == pytest.approx(0.8)


def test_what_is_earned_is_a_function_of_the_history_alone():
    schedule = Earned(0.0, 1.0, 1000)
    progress = [Progress(0, [*HALF, *[WON] * n], None, len(HALF), HALF) for n in (30, 5, 30)]
    assert schedule(progress[0]) == schedule(progress[2]) != schedule(progress[1])
    assert not schedule.every_step and (Earned(0.5, 0.1, 10).least, schedule.least) == (0.1, 0.0)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match=r"tolerance -1\.0 is negative"):
        Earned(0.0, 1.0, 10, tolerance=-1.0)


@pytest.mark.parametrize("name", ["steps", "window"])
def test_nothing_is_earned_over_no_steps(name):
    with pytest.raises(ValueError, match=f"{name} 0 must be at least 1"):
        Earned(**{"start": 0.0, "end": 1.0, "steps": 10, name: 0})
