"""Leaving the servos without torque and with their EPROM locked, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hardware import insist
from hardware.bus import Bus
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from porl_robot.uninterrupted import uninterrupted


def require_no_torque(bus: Bus, robot: RobotDescription) -> None:
    """Takes the torque away from every servo and reads that it is gone.

    Raises:
        HardwareError: a servo keeps it.
    """
    for joint in robot.joints:
        insist.write(bus, joint.id, "torque_enable", 0)


@contextmanager
def released(bus: Bus, robot: RobotDescription) -> Iterator[None]:
    """Takes the torque away before the block and, however it ends, behind it. There the EPROM is locked as well.

    Raises:
        HardwareError: a servo could not be confirmed to be so, beside whatever ended the block.
    """
    with suppress(HardwareError):
        bus.torque_off_all()
    try:
        yield
    except BaseException as error:
        unsafe = _release(bus, robot)
        if unsafe:
            raise HardwareError(f"{str(error) or 'interrupted'}; {unsafe}") from error
        raise
    unsafe = _release(bus, robot)
    if unsafe:
        raise HardwareError(unsafe)


def _release(bus: Bus, robot: RobotDescription) -> str:
    """What could not be confirmed, in one line; empty where all is well. Every servo is tried."""
    driven: list[str] = []
    unlocked: list[str] = []
    with uninterrupted():
        with suppress(HardwareError):
            bus.torque_off_all()
        for joint in robot.joints:
            if not _is(bus, joint.id, "torque_enable", 0):
                driven.append(joint.name)
            if robot.protocol == "feetech" and not _is(bus, joint.id, "lock", 1):
                unlocked.append(joint.name)
    said = []
    if driven:
        said.append(f"the torque of {', '.join(driven)} may still be on: switch the supply off")
    if unlocked:
        said.append(f"the EPROM of {', '.join(unlocked)} may still be open: switch the supply off and on")
    return "; ".join(said)


def _is(bus: Bus, servo: int, register: str, value: int) -> bool:
    try:
        insist.write(bus, servo, register, value)
    except HardwareError:
        return False
    return True
