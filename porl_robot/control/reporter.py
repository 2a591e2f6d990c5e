"""What a run tells the person watching it; the face decides how it looks."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of a run."""

    def progress(self, done: int, **figures: float | str) -> None:
        """`done` steps or episodes so far, with the figures worth showing beside them; without any, the last stay."""

    def note(self, text: str) -> None:
        """Something that happened, in one line."""
