"""Readings that repeat after a turn become a way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.calibration import TICKS_PER_TURN
from hardware.errors import HardwareError
from hardware.sweep import JointSweep, unwrapped


@given(st.integers(-10_000, 10_000), st.integers(-2047, 2047))
def test_unwrapping_finds_any_way_shorter_than_half_a_turn(position: int, step: int) -> None:
    assert unwrapped(position, (position + step) % TICKS_PER_TURN) == position + step


def test_a_jump_is_refused() -> None:
    sweep = JointSweep("elbow", 100)
    sweep.add(100 + 1024)
    with pytest.raises(HardwareError, match="elbow: jumped from 1124 to 3000 ticks"):
        sweep.add(3000)


def test_a_sweep_knows_how_far_it_went() -> None:
    sweep = JointSweep("elbow", 4000)
    for reading in (4090, 80, 900, 20, 3900, 3950):
        sweep.add(reading)
    assert (sweep.lowest, sweep.now, sweep.highest, sweep.travel) == (3900, 3950, 4996, 1096)
