"""Whatever the mounting, the start and the way, the middle of the travel becomes the centre."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.calibration import CENTRE, TICKS_PER_TURN, JointCalibration
from hardware.description import JointDescription, Protocol
from hardware.errors import HardwareError
from hardware.homing import LARGEST_TRAVEL, Homing, calibrated, centred, rehomed, turned
from hardware.sweep import JointSweep

PROTOCOLS = st.sampled_from(("feetech", "dynamixel"))
OFFSETS = st.integers(-2047, 2047)


def reported(protocol: Protocol, actual: int, offset: int) -> int:
    """What a servo shows: serial facts, written down independently of the code."""
    return (actual - offset if protocol == "feetech" else actual + offset) % TICKS_PER_TURN


def swept(protocol: Protocol, way: list[int], offset: int) -> JointSweep:
    """The sweep along `way`, encoder positions [ticks], in steps no hand exceeds."""
    sweep = JointSweep("elbow", reported(protocol, way[0], offset))
    position = way[0]
    for goal in way[1:]:
        while position != goal:
            position += max(-900, min(900, goal - position))
            sweep.add(reported(protocol, position, offset))
    return sweep


@given(
    protocol=PROTOCOLS,
    old=OFFSETS,
    lower_stop=st.integers(0, TICKS_PER_TURN - 1),
    travel=st.integers(50, LARGEST_TRAVEL),
    order=st.randoms(use_true_random=False),
    data=st.data(),
)
def test_the_middle_reads_the_centre(
    protocol: Protocol, old: int, lower_stop: int, travel: int, order: random.Random, data: st.DataObject
) -> None:
    between = st.integers(lower_stop, lower_stop + travel)
    visited = [lower_stop, lower_stop + travel, *data.draw(st.lists(between, max_size=4))]
    order.shuffle(visited)
    way = [data.draw(between), *visited, data.draw(between)]
    made = centred(swept(protocol, way, old), protocol, old, continuous=False)
    assert abs(made.offset) <= 2047
    assert made.range_max - made.range_min == travel
    # Half of an odd travel, and the one offset that has no place in the register, cost a tick each.
    assert abs(reported(protocol, lower_stop + travel // 2, made.offset) - CENTRE) <= 1
    assert reported(protocol, lower_stop, made.offset) == made.range_min
    assert reported(protocol, lower_stop + travel, made.offset) == made.range_max
    JointCalibration(1, "STS3215", "3.10", made.offset, made.range_min, made.range_max, 1, 0.0)


@given(
    protocol=PROTOCOLS,
    lower_stop=st.integers(0, TICKS_PER_TURN - 1),
    noise=st.lists(st.integers(-6, 6), min_size=30, max_size=30),
)
def test_noise_moves_the_centre_by_no_more_than_itself(protocol: Protocol, lower_stop: int, noise: list[int]) -> None:
    travel = 2900
    sweep = JointSweep("elbow", reported(protocol, lower_stop, 0))
    for step, error in enumerate(noise):
        sweep.add(reported(protocol, lower_stop + travel * step // (len(noise) - 1) + error, 0))
    made = centred(sweep, protocol, 0, continuous=False)
    assert travel - 12 <= made.range_max - made.range_min <= travel + 12
    assert abs(reported(protocol, lower_stop + travel // 2, made.offset) - CENTRE) <= 7


@given(protocol=PROTOCOLS, old=OFFSETS, end=st.integers(0, TICKS_PER_TURN - 1), turns=st.integers(0, 3))
def test_a_continuous_joint_is_centred_where_it_is_left(protocol: Protocol, old: int, end: int, turns: int) -> None:
    way = [end - turns * TICKS_PER_TURN, end]
    made = centred(swept(protocol, way, old), protocol, old, continuous=True)
    assert (made.range_min, made.range_max) == (0, 4095)
    assert abs(reported(protocol, end, made.offset) - CENTRE) <= 1


@given(protocol=PROTOCOLS, before=OFFSETS, after=OFFSETS, actual=st.integers(0, TICKS_PER_TURN - 1))
def test_another_offset_changes_the_reading_and_not_the_joint(
    protocol: Protocol, before: int, after: int, actual: int
) -> None:
    reading = reported(protocol, actual, before)
    assert rehomed(protocol, reading, before, after) == reported(protocol, actual, after)


def test_values_worked_out_by_hand() -> None:
    """Stops at encoder 3500 and 500 (over the seam): travel 1096, middle 4048."""
    assert centred(swept("feetech", [3500, 4596], 0), "feetech", 0, False) == Homing(2000, 1500, 2596)
    assert centred(swept("dynamixel", [3500, 4596], 0), "dynamixel", 0, False) == Homing(-2000, 1500, 2596)
    assert centred(swept("feetech", [3500, 4596], -700), "feetech", -700, False) == Homing(2000, 1500, 2596)


def test_half_a_turn_of_offset_becomes_a_tick_less() -> None:
    made = centred(swept("feetech", [-400, 400], 0), "feetech", 0, False)
    assert made == Homing(-2047, 1647, 2447)


def test_more_than_a_turn_with_stops_is_refused() -> None:
    with pytest.raises(HardwareError, match=r"elbow: travelled 4001 ticks.*4000"):
        centred(swept("feetech", [0, 4001], 0), "feetech", 0, continuous=False)


@given(
    range_min=st.integers(0, 1500),
    range_max=st.integers(2000, 4095),
    sign=st.sampled_from((-1, 1)),
    lower=st.floats(-3.0, 0.0),
    width=st.floats(0.5, 3.0),
)
def test_the_middle_of_the_range_is_the_middle_of_the_model(
    range_min: int, range_max: int, sign: int, lower: float, width: float
) -> None:
    homing = Homing(-709, range_min, range_max)
    joint = calibrated(JointDescription("elbow", 3, "STS3215"), "3.10", homing, sign, (lower, lower + width))
    assert joint.radians((range_min + range_max) / 2) == pytest.approx(lower + width / 2)
    assert (joint.id, joint.homing_offset) == (3, -709)
    other = turned(joint)
    assert other.sign == -sign
    assert other.radians((range_min + range_max) / 2) == pytest.approx(lower + width / 2)
    assert turned(other).middle == pytest.approx(joint.middle)
