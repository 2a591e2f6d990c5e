"""Whom the calibration works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

NOT_AGREED = "you did not agree: nothing was written, servos and calibration file are as before the question"


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One joint while it is swept.

    Attributes:
        lowest, now, highest: unwrapped positions [ticks].
        travelled: from one end to the other so far [deg].
        expected: range in the model [deg].
        enough: the travel is no longer too short.
    """

    name: str
    lowest: int
    now: int
    highest: int
    travelled: float
    expected: float
    enough: bool


Table = Callable[[Sequence[SweepRow], float], bool]
"""Shows where the joints are, so many arm seconds after the beginning; False once the sweep is to end."""


class Operator(Protocol):
    """The person beside the arm, or what was said on the command line in their place."""

    def tell(self, text: str) -> None:
        """One line to read."""

    def sweeping(self) -> AbstractContextManager[Table]:
        """The table of a sweep, from its beginning to its end."""

    def agrees(self, question: str) -> bool:
        """Whether the EPROM may be written.

        Raises:
            UsageError: nobody can be asked, and nothing was said in advance.
        """

    def saw(self, joint: str, words: str) -> bool:
        """Whether the joint that has just moved turned as `words` say.

        Raises:
            UsageError: nobody can be asked.
        """
