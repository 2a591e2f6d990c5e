"""Whether the robot process still lives."""

from __future__ import annotations

import contextlib
import os
import select


class Owner:
    """Watches a process without being its parent. A pid that was given anew meanwhile is not taken for it.

    Args:
        pid: of the process that started this one.
    """

    def __init__(self, pid: int) -> None:
        self._handle: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._handle = os.pidfd_open(pid)
        if os.getppid() != pid:
            self.close()

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._handle is None or bool(select.select([self._handle], [], [], 0.0)[0])

    def close(self) -> None:
        """Watches no longer; it then counts as gone."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
