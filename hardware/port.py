"""Opening a serial port, and saying in one line why it cannot be opened."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import termios
from contextlib import suppress
from pathlib import Path

from serial import Serial
from serial.tools.list_ports import comports
from serial.tools.list_ports_common import ListPortInfo

from hardware.errors import HardwareError
from hardware.port_guard import busy

_WRITE_TIMEOUT = 0.5  # s; a frame takes milliseconds, so the port is stuck after that


class BaudRefused(HardwareError):
    """The port is there, but its driver cannot go at that speed."""


def open_port(port: str, baud: int) -> Serial:
    """Opens `port` for this process alone, raw, 8N1.

    Raises:
        BaudRefused: it cannot go at `baud`.
        HardwareError: there is no such port, it is in use, we may not, or it is no serial port.
    """
    try:
        opened = Serial(port, baud, timeout=0, write_timeout=_WRITE_TIMEOUT, exclusive=True)
    except (ValueError, OverflowError) as error:
        raise _baud_refused(port, baud) from error
    except (OSError, termios.error) as error:
        raise _explained(port, baud, error) from error
    if not is_pseudo_terminal(port):
        # On a pseudo-terminal this would outlive us, since its other end keeps this one open.
        fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)
    return opened


def usb_ports() -> list[ListPortInfo]:
    """Serial ports behind USB, by path. Built-in ports, of which most have nothing behind them, are left out."""
    return sorted((port for port in comports() if port.vid is not None), key=lambda port: port.device)


def is_pseudo_terminal(port: str) -> bool:
    """Whether `port`, or what it links to, is one."""
    return str(Path(port).resolve()).startswith("/dev/pts/")


def set_low_latency(port: Serial) -> float:
    """Asks the driver not to hold bytes back; what it still may hold them for [s].

    Only FTDI's driver has a latency timer; the others pass bytes on with the next USB frame.
    """
    with suppress(OSError, ValueError, NotImplementedError):
        port.set_low_latency_mode(True)
    timer = Path("/sys/class/tty") / Path(port.port).resolve().name / "device" / "latency_timer"
    try:
        return int(timer.read_text()) / 1000.0
    except (OSError, ValueError):
        return 0.001


def _explained(port: str, baud: int, error: OSError | termios.error) -> HardwareError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return HardwareError(f"{port}: no such port; {_there_is()}")
    if number in (errno.EACCES, errno.EPERM):
        return HardwareError(f"{port}: permission denied; {_remedy(port)}")
    if number in (errno.EBUSY, errno.EAGAIN):
        return busy(port)
    if number == errno.EINVAL:
        return _baud_refused(port, baud)
    return HardwareError(f"{port}: not a serial port, or nothing behind it ({error}); {_there_is()}")


def _baud_refused(port: str, baud: int) -> BaudRefused:
    return BaudRefused(f"{port}: its driver refuses {baud} baud; give the baud that the servos are set to")


def _there_is() -> str:
    ports = usb_ports()
    if not ports:
        return "there is no USB serial port: plug the adapter in"
    return "there are " + ", ".join(f"{port.device} ({port.serial_number or 'no serial number'})" for port in ports)


def _remedy(port: str) -> str:
    group = "dialout"
    with suppress(OSError, KeyError):
        owner = Path(port).stat().st_gid
        group = grp.getgrgid(owner).gr_name if owner else group
    user = os.environ.get("USER", "$USER")
    return f"'sudo usermod -aG {group} {user}' and a new login, or the udev rule in docs/hardware.md, give it"
