"""Where a joint is and how far it has been while somebody moves it by hand.

An encoder repeats after a turn, and the repeat (its seam) may lie anywhere in the travel: readings are unwrapped.
"""

from __future__ import annotations

from hardware.calibration import TICKS_PER_TURN
from hardware.errors import HardwareError

_HALF_TURN = TICKS_PER_TURN // 2
_LARGEST_STEP = TICKS_PER_TURN // 4


class JointSweep:
    """One joint on its way: where it is and how far it has been, unwrapped [ticks].

    Args:
        name: of the joint, for messages.
        reading: its first position [ticks].
    """

    def __init__(self, name: str, reading: int) -> None:
        self.name = name
        self.now = self.lowest = self.highest = reading

    def add(self, reading: int) -> None:
        """The next reading [ticks].

        Raises:
            HardwareError: more than a quarter turn from the last one; near half a turn the direction would be a guess.
        """
        position = unwrapped(self.now, reading)
        if abs(position - self.now) > _LARGEST_STEP:
            raise HardwareError(
                f"{self.name}: jumped from {self.now % TICKS_PER_TURN} to {reading % TICKS_PER_TURN} ticks between two "
                "readings; move it more slowly, and begin again"
            )
        self.now = position
        self.lowest = min(self.lowest, position)
        self.highest = max(self.highest, position)

    @property
    def travel(self) -> int:
        """How far its ends are apart [ticks]."""
        return self.highest - self.lowest


def unwrapped(previous: int, reading: int) -> int:
    """The position nearest to `previous` that the encoder shows as `reading` [ticks]."""
    return previous + (reading - previous + _HALF_TURN) % TICKS_PER_TURN - _HALF_TURN
