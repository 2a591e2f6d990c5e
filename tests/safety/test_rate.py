import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.safety import JointLimits
from porl_robot.safety.rate import RateFilter

DT = 0.05


def make(n=1, velocity=1.0, acceleration=8.0, jerk=200.0):
    ones = np.ones(n)
    names = tuple(f"j{i}" for i in range(n))
    return JointLimits(names, -ones, ones, velocity * ones, acceleration * ones, jerk * ones)


def target(*values):
    return Command.at_rest(CommandSpace.JOINT_TARGET, np.array(values, dtype=np.float64))


def motion(values, velocity, acceleration):
    parts = (np.atleast_1d(np.float64(part)) for part in (values, velocity, acceleration))
    return Command(CommandSpace.JOINT_TARGET, *parts)


def after(command):
    """The state in which `command` was the last one sent."""
    zeros = np.zeros_like(command.values)
    return RobotState(zeros, zeros, command, 0.0)


@st.composite
def walks(draw):
    """Limits, a control period and a list of targets within the limits."""
    n = 2

    def column(low, high):
        return np.array(draw(st.lists(st.floats(low, high), min_size=n, max_size=n)))

    limits = JointLimits(
        ("a", "b"),
        column(-3.0, -0.05),
        column(0.05, 3.0),
        column(0.1, 20.0),
        column(0.1, 300.0),
        column(1.0, 20000.0),
    )
    share = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
    shares = draw(st.lists(st.tuples(share, share), min_size=2, max_size=12))
    span = limits.upper - limits.lower
    targets = [np.clip(limits.lower + span * s, limits.lower, limits.upper) for s in shares]
    holds = draw(st.lists(st.integers(1, 5), min_size=len(targets), max_size=len(targets)))
    dt = draw(st.sampled_from([0.01, 0.05, 0.1]))
    return limits, dt, [t for t, hold in zip(targets, holds, strict=True) for _ in range(hold)]


@settings(max_examples=150, deadline=None)
@given(walks())
def test_every_tick_keeps_every_limit_whatever_is_asked(walk):
    limits, dt, targets = walk
    judge = RateFilter(limits)
    sent = target(0.0, 0.0)
    for asked in targets:
        ruling = judge(target(*asked), after(sent), dt)
        assert ruling.fault is None
        now = ruling.command
        assert (now.values >= limits.lower).all()
        assert (now.values <= limits.upper).all()
        assert (np.abs(now.velocity) <= limits.velocity * (1 + 1e-9)).all()
        assert (np.abs(now.acceleration) <= limits.acceleration * (1 + 1e-9)).all()
        jerk = np.abs(now.acceleration - sent.acceleration) / dt
        assert (jerk <= limits.jerk * (1 + 1e-6) + 1e-6).all()
        step = np.abs(now.values - sent.values) / dt
        assert (step <= limits.velocity * (1 + 1e-6) + 1e-6).all()
        sent = now


@settings(max_examples=50, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_kept_target_is_reached_exactly_and_at_rest(start, goal):
    judge = RateFilter(make())
    sent = target(start)
    for _ in range(100):
        sent = judge(target(goal), after(sent), DT).command
    assert sent.values[0] == goal
    assert sent.velocity[0] == sent.acceleration[0] == 0.0


def test_a_target_within_reach_passes_untouched():
    asked = target(1e-4)
    ruling = RateFilter(make())(asked, after(target(0.0)), DT)
    assert ruling.intervention is None
    assert ruling.command.values is asked.values
    assert ruling.command.velocity.tolist() == [0.0]


def test_joints_do_not_wait_for_each_other():
    ruling = RateFilter(make(2))(target(1e-4, 1.0), after(target(0.0, 0.0)), DT)
    assert ruling.command.values[0] == pytest.approx(1e-4, abs=1e-12)
    assert 0.0 < ruling.command.values[1] < 1.0
    assert ruling.intervention.reason.startswith("j1: ")
    assert "j0" not in ruling.intervention.reason


@pytest.mark.parametrize(
    ("start", "bound"),
    [
        (motion(-0.9, 1.0, 0.0), "velocity"),
        (motion(-0.9, 0.1, 8.0), "acceleration"),
        (motion(-0.9, 0.0, 0.0), "jerk"),
    ],
)
def test_the_reason_names_joint_and_limit(start, bound):
    limits = make(jerk=100.0)
    ruling = RateFilter(limits)(target(1.0), after(start), DT)
    allowed = ruling.command.values[0]
    assert ruling.intervention.filter == "rate"
    assert ruling.intervention.reason == (f"j0: asked for 1.0000, {bound} limit allows {allowed:.4f}")


def test_rounding_is_no_intervention_but_the_motion_is_kept():
    start = motion(0.0, 0.0, 0.0)
    ruling = RateFilter(make(jerk=1e-3))(target(5e-7), after(start), DT)
    assert ruling.intervention is None
    assert ruling.command.velocity[0] > 0.0


def test_calls_leave_no_trace():
    judge = RateFilter(make())
    first = judge(target(1.0), after(target(0.0)), DT).command
    judge(target(-1.0), after(motion(0.5, 1.0, 3.0)), 0.01)
    second = judge(target(1.0), after(target(0.0)), DT).command
    assert first.values == second.values
    assert first.velocity == second.velocity


@pytest.mark.parametrize("start", [motion(0.0, 1.3, 0.0), motion(0.0, 0.5, 9.0)])
def test_a_start_beyond_the_rates_is_brought_back(start):
    limits = make()
    judge = RateFilter(limits)
    sent = start
    for _ in range(10):
        ruling = judge(target(1.0), after(sent), DT)
        assert ruling.fault is None
        sent = ruling.command
    assert abs(sent.velocity[0]) <= limits.velocity[0] * (1 + 1e-9)
    assert abs(sent.acceleration[0]) <= limits.acceleration[0] * (1 + 1e-9)


def test_a_start_outside_the_range_only_comes_back():
    judge = RateFilter(make())
    sent = motion(1.2, 0.3, 0.0)
    path = []
    for _ in range(60):
        sent = judge(target(1.0), after(sent), DT).command
        path.append(sent.values[0])
    assert max(path) <= 1.2
    assert path[-1] == 1.0


def test_the_range_wins_over_smoothness_where_no_stop_is_possible():
    ruling = RateFilter(make())(target(1.0), after(motion(0.99, 1.0, 8.0)), DT)
    assert ruling.command.values[0] == 1.0
    assert ruling.command.velocity[0] <= 0.0


def test_where_no_path_is_found_it_brakes_within_the_limits():
    # Here a^2 / 2j brings v to its limit up to rounding: a path exists, but ruckig finds none.
    limits = make(velocity=0.3, acceleration=18.0, jerk=110.0)
    start = motion(0.5299177019398112, 0.04198733605640512, 7.534108179976637)
    ruling = RateFilter(limits)(target(0.8992478517715223), after(start), 0.01)
    assert ruling.fault is None
    assert ruling.intervention.reason == "no path found: braking"
    fall = start.acceleration[0] - ruling.command.acceleration[0]
    assert fall == pytest.approx(limits.jerk[0] * 0.01)
    assert ruling.command.velocity[0] <= limits.velocity[0]


@pytest.mark.parametrize("dt", [0.0, -0.05, np.nan, np.inf])
def test_an_impossible_period_is_refused(dt):
    assert "control period" in RateFilter(make())(target(0.1), after(target(0.0)), dt).fault


@pytest.mark.parametrize("start", [motion(np.nan, 0.0, 0.0), target(0.0, 0.0)])
def test_an_unknown_start_is_refused(start):
    assert "last command" in RateFilter(make())(target(0.1), after(start), DT).fault


def test_an_absurd_start_is_refused_not_raised():
    ruling = RateFilter(make())(target(0.1), after(motion(0.0, 1e9, 0.0)), DT)
    assert ruling.fault == "neither a path to the target nor a stop could be planned"
