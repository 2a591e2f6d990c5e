"""Readings no joint can have are refused."""

from __future__ import annotations

import pytest

from hardware.arm.gate import Gate, Verdict
from hardware.clock import Taken


def at(moment: float) -> Taken:
    """A reading that came at once."""
    return Taken(moment, moment)


def refused(gate: Gate, servo: int, position: float, velocity: float, now: float) -> bool:
    return gate.judge(servo, position, velocity, at(now)) is Verdict.REFUSED


def test_the_first_position_is_taken_as_it_comes() -> None:
    assert not refused(Gate(9.0), 1, 3.1, 0.0, 0.0)


def test_a_leap_is_refused_and_does_not_become_the_reference() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 0.0, at(0.0))
    gate.judge(1, 0.03, 4.0, at(0.005))
    assert not refused(gate, 1, 0.06, 5.0, 0.01)
    assert refused(gate, 1, 0.45, 5.0, 0.02)
    assert not refused(gate, 1, 0.12, 5.5, 0.02)


def test_the_longer_nothing_was_accepted_the_farther_it_may_have_come() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 0.0, at(0.0))
    assert refused(gate, 1, 0.5, 8.0, 0.05)
    assert not refused(gate, 1, 0.5, 8.0, 0.06)


def test_what_was_noted_is_the_reference() -> None:
    gate = Gate(9.0)
    gate.note(1, 0.0, at(0.0))
    gate.note(1, 3.0, at(0.01))
    assert not refused(gate, 1, 3.01, 1.0, 0.02)


def test_servos_are_judged_apart() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 0.0, at(0.0))
    assert not refused(gate, 2, 3.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("velocity", "expected"), [(0.0, False), (2.0, False), (-0.4, False), (3.0, True), (-1.0, True), (12.0, True)]
)
def test_a_speed_that_the_positions_do_not_show_is_refused(velocity: float, expected: bool) -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 0.0, at(0.0))
    assert refused(gate, 1, 0.01, velocity, 0.01) is expected


def test_after_a_gap_a_joint_may_have_come_to_rest() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 1.5, at(0.0))
    assert not refused(gate, 1, 0.2, 0.0, 0.15)
    assert refused(gate, 1, 0.2, 8.0, 0.16)


@pytest.mark.parametrize(("position", "velocity"), [(0.0, 0.6), (0.0, -1.5), (0.015, 0.0)])
def test_an_odd_reading_waits_for_a_second_one(position: float, velocity: float) -> None:
    for second in ((position, velocity), (0.0, 0.0)):
        gate = Gate(9.0)
        gate.judge(1, 0.0, 0.0, at(0.0))
        assert gate.judge(1, position, velocity, at(0.01)) is Verdict.DOUBTED
        assert gate.judge(2, position, velocity, at(0.01)) is Verdict.ACCEPTED  # the first of its servo
        assert gate.judge(1, *second, at(0.02)) is Verdict.ACCEPTED
    assert gate.judge(1, position, velocity, at(0.03)) is Verdict.DOUBTED  # what was accepted ended the doubt


@pytest.mark.parametrize("way", [0.0, 0.0015])
def test_a_joint_at_rest_is_doubted_for_less(way: float) -> None:
    for velocity, verdict in ((0.1, Verdict.ACCEPTED), (0.35, Verdict.DOUBTED)):
        gate = Gate(9.0)
        gate.judge(1, 0.0, 0.0, at(0.0))
        assert gate.judge(1, way, velocity, at(0.01)) is verdict
    gate = Gate(9.0)
    gate.judge(1, 0.0, 1.0, at(0.0))
    assert gate.judge(1, 0.01, 1.35, at(0.01)) is Verdict.ACCEPTED


def test_steady_motion_and_a_flickering_encoder_are_not_doubted() -> None:
    gate = Gate(9.0)
    for k in range(100):
        assert gate.judge(1, 0.02 * k, 2.0 + (0.1 if k % 2 else -0.1), at(0.01 * k)) is Verdict.ACCEPTED
        assert gate.judge(2, 0.0015 * (k % 2), 0.0, at(0.01 * k)) is Verdict.ACCEPTED


def test_after_a_gap_nothing_is_odd() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 0.0, at(0.0))
    assert gate.judge(1, 0.0, 0.6, at(0.02)) is Verdict.DOUBTED
    gate.judge(2, 0.0, 0.0, at(0.0))
    assert gate.judge(2, 0.0, 0.6, at(0.04)) is Verdict.ACCEPTED


def test_what_a_busy_computer_heard_late_is_no_leap() -> None:
    gate = Gate(9.0)
    gate.judge(1, 0.0, 3.0, at(0.0))
    assert gate.judge(1, 0.03, 3.0, Taken(0.01, 0.06)) is Verdict.ACCEPTED
    assert gate.judge(1, 0.2, 3.0, Taken(0.065, 0.067)) is Verdict.ACCEPTED
    assert gate.judge(1, 0.9, 3.0, Taken(0.075, 0.077)) is Verdict.REFUSED
