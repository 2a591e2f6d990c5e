"""What failed for lack of an answer is done again, a few times; nothing else is."""

from __future__ import annotations

import pytest

from hardware.errors import HardwareError, NoReply
from hardware.patience import patiently


def failing(count: int, error: HardwareError) -> list[int]:
    """How often work was tried that fails `count` times."""
    tried: list[int] = []

    def work() -> int:
        tried.append(0)
        if len(tried) <= count:
            raise error
        return 7

    assert patiently(work) == 7
    return tried


def test_silence_is_forgiven_twice() -> None:
    assert [len(failing(count, NoReply("servo 1"))) for count in (0, 1, 2)] == [1, 2, 3]
    with pytest.raises(NoReply):
        failing(3, NoReply("servo 1"))


def test_other_errors_are_not() -> None:
    with pytest.raises(HardwareError, match="refused"):
        failing(1, HardwareError("refused"))
