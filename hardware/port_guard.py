"""One owner per port, and who it is."""

from __future__ import annotations

import fcntl
import os
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hardware.errors import HardwareError

_COMMAND_WIDTH = 80
_MULTIPLEXERS = ("/dev/ptmx", "/dev/pts/ptmx")


class PortGuard:
    """The exclusive right to a port, among users of this program; the kernel frees it when the process dies.

    Other programs do not ask for it, and the locks that they do ask for bind only those who ask.

    Raises:
        HardwareError: another process has it, or this one already; or its lock cannot be opened.
    """

    def __init__(self, port: str) -> None:
        device = Path(port).resolve()
        name = str(device).strip("/").replace("/", "-")
        self._descriptor = _open(Path(tempfile.gettempdir()) / f"porl-robot-{name}.lock")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise busy(port) from None

    def release(self) -> None:
        """Lets the next one in. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def busy(port: str) -> HardwareError:
    """The error that says who holds `port`."""
    names = [f"process {pid} ({command})" for pid, command in holders(port)]
    if not names:
        return HardwareError(f"{port}: in use by a process of another user; 'sudo fuser -v {port}' names it")
    return HardwareError(f"{port}: in use by {' and '.join(names)}; end that first")


def holders(port: str) -> list[tuple[int, str]]:
    """Process id and command line of everyone we may look at who has `port` open.

    The process at the other end of a pseudo-terminal keeps this end open as well and is not meant.
    """
    device = str(Path(port).resolve())
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            files = set(_open_files(process))
            if device in files and not files.intersection(_MULTIPLEXERS):
                found.append((int(process.name), _command(process)))
    return sorted(found)


def _open(path: Path) -> int:
    # Never created over an existing one: in a sticky folder the kernel refuses that for another user's file.
    try:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with suppress(PermissionError):  # somebody else's, made in the meantime
            os.fchmod(descriptor, 0o644)  # whatever this user's umask: the next one has to read it
    except OSError as error:
        raise HardwareError(f"{path}: the lock of the port cannot be opened ({error.strerror}); delete it") from error
    return descriptor


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
    except OSError:
        return "ended meanwhile"
    return textwrap.shorten(" ".join(words), _COMMAND_WIDTH, placeholder=" ...")
