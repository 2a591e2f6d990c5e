"""Silence first holds, then stops."""

from __future__ import annotations

import pytest

from hardware.description import DeadMan
from hardware.host.dead_man import Stage, stage


@pytest.mark.parametrize(
    ("silence", "expected"),
    [
        (0.0, Stage.FRESH),
        (0.099, Stage.FRESH),
        (0.1, Stage.HOLD),
        (0.499, Stage.HOLD),
        (0.5, Stage.STOP),
        (60.0, Stage.STOP),
    ],
)
def test_stage(silence: float, expected: Stage) -> None:
    assert stage(silence, DeadMan()) is expected


def test_the_times_are_the_robots_own() -> None:
    assert stage(0.15, DeadMan(hold_after=0.2, stop_after=0.3)) is Stage.FRESH
