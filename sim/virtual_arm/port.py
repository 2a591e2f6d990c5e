"""The cable's end: a pseudo-terminal under a symbolic link that stays when the terminal changes."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import tty
from contextlib import suppress
from pathlib import Path

from hardware.errors import HardwareError

_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("<4I20s2I")  # flags, line discipline and control characters, speeds
_CHUNK = 4096


class Port:
    """A pseudo-terminal that clients open through `link`.

    Raises:
        HardwareError: something is at `link` already, or it cannot be made there.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master = self._slave = -1
        if link.is_symlink() and not link.exists():
            link.unlink()
        if link.is_symlink() or link.exists():
            raise HardwareError(f"link={link}: is there already; give another name, or remove it if nothing uses it")
        if not link.parent.is_dir():
            raise HardwareError(f"link={link}: {link.parent} is no folder")

    @property
    def is_plugged(self) -> bool:
        """Whether there is a terminal behind the link."""
        return self._master >= 0

    def fileno(self) -> int:
        """The descriptor to wait on; -1 while unplugged."""
        return self._master

    def plug(self) -> None:
        """Makes a new terminal and points the link at it.

        Raises:
            HardwareError: the link cannot be made.
        """
        self._master, self._slave = pty.openpty()
        # The slave stays open: otherwise the master reads errors whenever the last client has gone.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        try:
            self.link.symlink_to(os.ttyname(self._slave))
        except OSError as error:
            raise HardwareError(f"link={self.link}: cannot be made ({error.strerror})") from error

    def unplug(self) -> None:
        """Takes the terminal and the link away, under whoever holds them open. May be called twice."""
        if self.is_plugged:
            self.link.unlink(missing_ok=True)
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1

    def baud(self) -> int:
        """What the client has set [bit/s]."""
        settings = fcntl.ioctl(self._master, _TCGETS2, bytes(_TERMIOS2.size))
        return int(_TERMIOS2.unpack(settings)[-1])

    def read(self) -> bytes:
        """What the client has sent."""
        try:
            return os.read(self._master, _CHUNK)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> None:
        """Hands `data` to the client; what it leaves unread for long is lost, as in any adapter."""
        with suppress(BlockingIOError, termios.error, OSError):
            os.write(self._master, data)
