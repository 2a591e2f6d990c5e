"""What the age of the last command means."""

from __future__ import annotations

import enum

from hardware.description import DeadMan


class Stage(enum.Enum):
    """How long nobody has commanded."""

    FRESH = "fresh"
    HOLD = "hold"
    STOP = "stop"


def stage(silence: float, settings: DeadMan) -> Stage:
    """The stage after `silence` [s] without a command. Arm time."""
    if silence >= settings.stop_after:
        return Stage.STOP
    return Stage.HOLD if silence >= settings.hold_after else Stage.FRESH
