"""The setpoint arrives, and within its limits."""

from __future__ import annotations

import math

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.virtual_arm.profile import Profile

DT = 0.002


@settings(deadline=None, max_examples=40)
@given(
    goals=st.lists(st.integers(-4000, 4000), min_size=1, max_size=4),
    speed=st.floats(500, 5000),
    acceleration=st.floats(1000, 50000) | st.just(math.inf),
    patience=st.integers(1, 300),
)
@example(goals=[513, 1031, 0, 1031], speed=3460.0, acceleration=math.inf, patience=75)
def test_every_goal_is_reached_within_speed_and_acceleration(goals, speed, acceleration, patience):
    profile = Profile()
    for number, goal in enumerate(goals):
        steps = 0
        while steps < patience or (number == len(goals) - 1 and profile.position != goal):
            before, velocity = profile.position, profile.velocity
            profile.advance(goal, speed, acceleration, DT)
            assert abs(profile.position - before) <= speed * DT * (1 + 1e-9)
            if profile.position != goal:
                assert abs(profile.velocity - velocity) <= acceleration * DT * (1 + 1e-9)
            steps += 1
            assert steps < 200_000
    assert profile.velocity == 0.0


def test_without_limits_it_is_there_at_once():
    profile = Profile()
    assert profile.advance(1000.0, math.inf, math.inf, DT) == 1000.0


def test_it_takes_the_time_of_a_trapezoid():
    profile, steps = Profile(), 0
    while profile.position != 1000.0:
        profile.advance(1000.0, 500.0, 1000.0, DT)
        steps += 1
    # Half a second up, half a second down, 250 ticks each; between them 500 ticks at full speed.
    assert abs(steps * DT - 2.5) < 0.02


def test_a_play_is_lost_at_every_reversal():
    profile = Profile()
    profile.backlash = 10.0
    profile.rest_at(0.0)
    goals = (3.0, 8.0, 20.0, 14.0, 9.0, 0.0)
    pulls = [profile.advance(goal, math.inf, math.inf, DT) for goal in goals]
    assert pulls == [0.0, 3.0, 15.0, 15.0, 14.0, 5.0]
    assert profile.position == 0.0
