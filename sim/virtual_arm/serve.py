"""Starting a virtual arm: what `porl-robot virtual-arm` calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware.calibration import load_calibration
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.manifest import Manifest
from hardware.servos import SERVOS
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.body import body_of
from sim.virtual_arm.calibration import calibration_from, serial_of, shipped_calibration
from sim.virtual_arm.eprom import assembled, calibrated, load_eprom, save_eprom
from sim.virtual_arm.faults import parse_faults
from sim.virtual_arm.motor import MOTORS
from sim.virtual_arm.port import Port
from sim.virtual_arm.process import Process
from sim.virtual_arm.schedule import Schedule

FACTORY = "factory"
"""`eprom=factory`: new servos, put together and not calibrated."""


def serve(
    robot: RobotDescription,
    link: str,
    time_scale: float,
    faults: str,
    seed: int,
    eprom: str,
    backlash: float,
    announce: Callable[[str], None],
) -> None:
    """Is a virtual `robot` at `link` until a signal ends it.

    Args:
        link: symbolic link to make, which clients open as their port.
        time_scale: arm seconds per wall second.
        faults: as `parse_faults` takes them.
        seed: of the faults' chances.
        eprom: file in which the servos remember, `factory` for new servos, or nothing for the file beside the link.
        backlash: play between what every servo aims at and its shaft [rad].
        announce: is told when clients may open the link.

    Raises:
        HardwareError: something given cannot be used.
    """
    where = Path(link)
    port = Port(where)  # before anything is written beside it: another arm may be there
    for joint in robot.joints:
        if joint.servo not in SERVOS or joint.servo not in MOTORS:
            raise HardwareError(
                f"robot.joints.{joint.name}.servo={joint.servo}: no virtual one; there are {', '.join(MOTORS)}"
            )
        if SERVOS[joint.servo].protocol != robot.protocol:
            raise HardwareError(f"robot.joints.{joint.name}.servo={joint.servo}: does not speak {robot.protocol}")
    schedule = Schedule([joint.id for joint in robot.joints])
    schedule.add(parse_faults(faults))
    memory = Path(eprom) if eprom and eprom != FACTORY else _beside(where, "eprom")
    with _told(robot):
        calibration_file = shipped_calibration(robot) or _made_calibration(robot, _beside(where, "calibration"))
        calibration = load_calibration(calibration_file)
        if eprom == FACTORY:
            kept = assembled(robot)
        elif memory.exists():
            kept = load_eprom(memory, robot)
            # Who calibrates a virtual arm leaves the file beside its link.
            own = _beside(where, "calibrated")
            calibration_file = own if own.exists() else calibration_file
        else:
            kept = calibrated(robot, calibration)
    kinds = [joint.servo for joint in robot.joints]

    def save() -> None:
        save_eprom(memory, kinds, [servo.memory.kept for servo in arm.servos])

    with _told(robot):
        arm = VirtualArm(robot, calibration, kept, save, backlash)
    process = Process(arm, port, time_scale, schedule, seed)
    save()
    manifest = Manifest(os.getpid(), serial_of(robot), robot.name, time_scale, str(calibration_file))
    process.run(manifest, announce)


@contextmanager
def _told(robot: RobotDescription) -> Iterator[None]:
    """What a servo or the body cannot be is the description's fault."""
    try:
        yield
    except ValueError as error:
        raise HardwareError(f"robot={robot.name}: {str(error).splitlines()[0]}") from error


def _made_calibration(robot: RobotDescription, path: Path) -> Path:
    """Writes the calibration of a robot that has none of its own."""
    body = body_of(robot, [MOTORS[joint.servo] for joint in robot.joints])
    calibration_from(robot, body.lower.tolist(), body.upper.tolist(), {}).save(path)
    return path


def _beside(link: Path, what: str) -> Path:
    return link.absolute().with_name(f"{link.name}.{what}.json")
