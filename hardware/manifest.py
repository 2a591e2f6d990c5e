"""How a program knows a virtual arm: by the file beside its link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from porl_robot.files import replace_file


@dataclass(frozen=True, slots=True)
class Manifest:
    """A virtual arm that runs.

    Attributes:
        pid: of its process.
        serial: what stands in for the USB adapter's serial number.
        robot: kind of arm, as in `robot=NAME`.
        time_scale: arm seconds per wall second.
        calibration: file that holds for it.
    """

    pid: int
    serial: str
    robot: str
    time_scale: float
    calibration: str

    def write(self, link: Path) -> None:
        """Puts it beside `link`, the symbolic link to the pseudo-terminal."""
        replace_file(_beside(link), (json.dumps(asdict(self), indent=2) + "\n").encode())


def read_manifest(port: str) -> Manifest | None:
    """The manifest beside `port`, or None: whatever has none, or none of a live process, counts as a real arm."""
    try:
        content: Mapping[str, Any] = json.loads(_beside(Path(port)).read_bytes())
        manifest = Manifest(
            pid=int(content["pid"]),
            serial=str(content["serial"]),
            robot=str(content["robot"]),
            time_scale=float(content["time_scale"]),
            calibration=str(content["calibration"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return manifest if _is_pseudo_terminal(port) and Path(f"/proc/{manifest.pid}").exists() else None


def remove_manifest(link: Path) -> None:
    """Takes it away; it may be gone already."""
    _beside(link).unlink(missing_ok=True)


def _beside(link: Path) -> Path:
    return link.with_name(link.name + ".json")


def _is_pseudo_terminal(port: str) -> bool:
    # A file left beside a real port must never make it count as virtual.
    return str(Path(port).resolve()).startswith("/dev/pts/")
