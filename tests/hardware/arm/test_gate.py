"""Readings no joint can have are refused."""

from __future__ import annotations

import pytest

from hardware.arm.gate import Gate


def test_the_first_position_is_taken_as_it_comes() -> None:
    assert Gate(9.0).accepts(1, 3.1, 0.0, 0.0)


def test_a_leap_is_refused_and_does_not_become_the_reference() -> None:
    gate = Gate(9.0)
    assert gate.accepts(1, 0.0, 0.0, 0.0)
    assert gate.accepts(1, 0.06, 5.0, 0.01)
    assert not gate.accepts(1, 0.45, 5.0, 0.02)
    assert gate.accepts(1, 0.12, 5.5, 0.02)


def test_the_longer_nothing_was_accepted_the_farther_it_may_have_come() -> None:
    gate = Gate(9.0)
    gate.accepts(1, 0.0, 0.0, 0.0)
    assert not gate.accepts(1, 0.5, 8.0, 0.05)
    assert gate.accepts(1, 0.5, 8.0, 0.06)


def test_what_was_noted_is_the_reference() -> None:
    gate = Gate(9.0)
    gate.note(1, 0.0, 0.0)
    gate.note(1, 3.0, 0.01)
    assert gate.accepts(1, 3.01, 1.0, 0.02)


def test_servos_are_judged_apart() -> None:
    gate = Gate(9.0)
    gate.accepts(1, 0.0, 0.0, 0.0)
    assert gate.accepts(2, 3.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("velocity", "accepted"), [(0.0, True), (2.0, True), (-0.4, True), (3.0, False), (-1.0, False), (12.0, False)]
)
def test_a_speed_that_the_positions_do_not_show_is_refused(velocity: float, accepted: bool) -> None:
    gate = Gate(9.0)
    gate.accepts(1, 0.0, 0.0, 0.0)
    assert gate.accepts(1, 0.01, velocity, 0.01) is accepted


def test_after_a_gap_a_joint_may_have_come_to_rest() -> None:
    gate = Gate(9.0)
    gate.accepts(1, 0.0, 1.5, 0.0)
    assert gate.accepts(1, 0.2, 0.0, 0.15)
    assert not gate.accepts(1, 0.2, 8.0, 0.16)
