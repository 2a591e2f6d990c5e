"""The read-outs of a run over time: `metrics.jsonl`, and the same for TensorBoard under `events/`."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

FILE = "metrics.jsonl"
EVENTS = "events"


class MetricsLog:
    """Appends one flat dict per call."""

    def __init__(self, out: Path) -> None:
        _drop_torn_line(out / FILE)
        self._file = (out / FILE).open("a", encoding="utf-8", buffering=1)
        self._events = SummaryWriter(str(out / EVENTS))

    def write(self, env_steps: int, phase: str, values: dict[str, float]) -> None:
        """Logs `values` at `env_steps`."""
        row = {"env_steps": env_steps, "phase": phase, **values}
        self._file.write(json.dumps(row) + "\n")
        for name, value in values.items():
            self._events.add_scalar(name if "/" in name else f"run/{name}", value, env_steps)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._events.close()


def _drop_torn_line(path: Path) -> None:
    """A crash may have cut the last line short; what is appended next must not continue it."""
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)
