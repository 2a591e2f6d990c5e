"""By what an arm is known to be the same one tomorrow, and where its calibration is kept."""

from __future__ import annotations

import re
from pathlib import Path

from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.manifest import read_manifest
from hardware.port import usb_ports
from porl_robot.errors import UsageError
from porl_robot.paths import data_dir

_UNFIT_FOR_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def serial_number(port: str) -> str:
    """Of the USB adapter at `port`, or of the virtual arm there; fit for a file's name.

    An adapter without one (those with a CH340 have none) is known by the socket it is plugged into, a built-in port by
    its name.

    Raises:
        HardwareError: there is no such port.
    """
    manifest = read_manifest(port)
    if manifest is not None:
        return manifest.serial
    if not Path(port).exists():
        raise HardwareError(f"{port}: no such port; porl-robot scan lists those there are")
    device = Path(port).resolve()
    known = device.name
    for each in usb_ports():
        if Path(each.device).resolve() == device:
            known = each.serial_number or f"socket-{each.location}"
    return _UNFIT_FOR_A_NAME.sub("-", known)


def calibration_file(port: str) -> Path:
    """Where the calibration of the arm at `port` is, or would be. A virtual arm says so itself.

    Raises:
        HardwareError: there is no such port.
    """
    manifest = read_manifest(port)
    if manifest is not None:
        return Path(manifest.calibration)
    return data_dir("calibration") / f"{serial_number(port)}.json"


def require_same_arm(robot: RobotDescription) -> str:
    """The port of `robot`, behind which there may be an arm of this kind and pace.

    Raises:
        UsageError: no port was given, or a virtual arm there is another one or runs at another pace.
    """
    if robot.port is None:
        raise UsageError("robot.port=... is missing: expected the serial device of the arm; porl-robot scan lists them")
    manifest = read_manifest(robot.port)
    if manifest is not None and manifest.robot != robot.name:
        raise UsageError(
            f"robot={robot.name}: at {robot.port} is a virtual {manifest.robot}; give robot={manifest.robot}"
        )
    pace = 1.0 if manifest is None else manifest.time_scale
    if robot.time_scale != pace:
        what = "is no virtual arm, whose time alone can run faster" if manifest is None else "runs at another pace"
        raise UsageError(
            f"robot.time_scale={robot.time_scale:g}: the arm at {robot.port} {what}; give robot.time_scale={pace:g}"
        )
    return robot.port
