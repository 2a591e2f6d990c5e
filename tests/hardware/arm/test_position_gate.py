"""Positions no joint can have reached are refused."""

from __future__ import annotations

from hardware.arm.position_gate import PositionGate


def test_the_first_position_is_taken_as_it_comes() -> None:
    assert PositionGate(4000.0).accepts(1, 4095, 0.0)


def test_a_leap_is_refused_and_does_not_become_the_reference() -> None:
    gate = PositionGate(4000.0)
    assert gate.accepts(1, 2000, 0.0)
    assert gate.accepts(1, 2043, 0.01)
    assert not gate.accepts(1, 2043 + 256, 0.02)
    assert gate.accepts(1, 2086, 0.02)


def test_the_longer_nothing_was_accepted_the_further_it_may_have_come() -> None:
    gate = PositionGate(4000.0)
    gate.accepts(1, 2000, 0.0)
    assert not gate.accepts(1, 2300, 0.05)
    assert gate.accepts(1, 2300, 0.08)


def test_servos_are_judged_apart_and_forgotten_together() -> None:
    gate = PositionGate(4000.0)
    gate.accepts(1, 0, 0.0)
    assert gate.accepts(2, 4000, 0.0)
    gate.forget()
    assert gate.accepts(1, 4000, 0.0)
