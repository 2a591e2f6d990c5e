"""Which arm is at a port, and what holds for it: calibration, ranges, and whether it is a virtual one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hardware.calibration import Calibration, load_calibration
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.manifest import Manifest, read_manifest
from hardware.port import usb_ports
from porl_robot.errors import UsageError
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir


@dataclass(frozen=True, slots=True)
class FoundArm:
    """An arm at a port; nothing of it has been touched.

    Attributes:
        robot: its description, with the port.
        path: of the calibration's file.
        virtual: a virtual arm: nobody can be hurt.
    """

    robot: RobotDescription
    calibration: Calibration
    path: Path
    virtual: bool


def find_arm(robot: RobotDescription) -> FoundArm:
    """The arm at `robot.port`.

    Raises:
        UsageError: no port was given, or a time_scale that the arm does not have.
        HardwareError: nobody has calibrated it, or it is another kind of arm.
    """
    if robot.port is None:
        raise UsageError("robot.port=PATH is missing; porl-robot scan lists the ports")
    manifest = read_manifest(robot.port)
    _require_time_scale(robot, manifest)
    if manifest is not None and manifest.robot != robot.name:
        raise HardwareError(f"{robot.port}: is a virtual {manifest.robot}; give robot={manifest.robot}")
    path = _calibration_of(robot.port) if manifest is None else Path(manifest.calibration)
    return FoundArm(robot, load_calibration(path), path, manifest is not None)


def with_ranges(robot: RobotDescription, arm: ArmKinematics) -> RobotDescription:
    """`robot` with the ranges of its model at every joint that has none of its own."""
    ranges = {
        name: (low, high) for name, low, high in zip(arm.names, arm.lower.tolist(), arm.upper.tolist(), strict=True)
    }
    joints = tuple(
        joint if joint.limits else replace(joint, lower=ranges[joint.name][0], upper=ranges[joint.name][1])
        for joint in robot.joints
    )
    return replace(robot, joints=joints)


def _require_time_scale(robot: RobotDescription, manifest: Manifest | None) -> None:
    if manifest is None and robot.time_scale != 1.0:
        raise UsageError(
            f"robot.time_scale={robot.time_scale:g}: {robot.port} is no virtual arm, whose time alone scales"
        )
    if manifest is not None and robot.time_scale != manifest.time_scale:
        raise UsageError(
            f"robot.time_scale={robot.time_scale:g}: the virtual arm at {robot.port} runs with {manifest.time_scale:g}; "
            f"give robot.time_scale={manifest.time_scale:g}"
        )


def _calibration_of(port: str) -> Path:
    """The file that belongs to the adapter behind `port`."""
    device = str(Path(port).resolve())
    if not Path(device).exists():
        raise HardwareError(f"{port}: no such port; porl-robot scan lists those there are")
    serial = next((each.serial_number for each in usb_ports() if each.device == device), None)
    if serial is None:
        raise HardwareError(f"{port}: has no USB serial number by which its calibration could be found")
    return data_dir("calibration") / f"{serial}.json"
