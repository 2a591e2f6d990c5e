"""Writing into the servos' EPROM what it does not hold yet."""

from __future__ import annotations

from collections.abc import Sequence

from hardware import insist
from hardware.bus import Bus
from hardware.description import RobotDescription
from hardware.eprom import Change
from hardware.errors import HardwareError
from porl_robot.uninterrupted import uninterrupted


def by_joint(found: Sequence[Change], form: str) -> list[str]:
    """One line per joint, as in "elbow_flex: REGISTER in FORM, ..."; `form` has places for `held` and `wanted`."""
    lines: dict[str, list[str]] = {}
    for each in found:
        lines.setdefault(each.joint, []).append(f"{each.register} {form.format(held=each.held, wanted=each.wanted)}")
    return [f"{joint}: {', '.join(registers)}" for joint, registers in lines.items()]


def write_changes(bus: Bus, robot: RobotDescription, wanted: list[Change]) -> None:
    """Writes registers of servos without torque and reads each of them back. Ctrl-C waits until it is done.

    Raises:
        HardwareError: one does not hold what was written; says how far it came.
    """
    ids = {joint.name: joint.id for joint in robot.joints}
    with uninterrupted():
        for index, change in enumerate(wanted):
            try:
                if robot.protocol == "feetech":
                    insist.write(bus, ids[change.joint], "lock", 0)
                insist.write(bus, ids[change.joint], change.register, change.wanted)
            except HardwareError as error:
                raise HardwareError(f"{_half_written(wanted, index)}: {error}") from error


def _half_written(wanted: list[Change], failed: int) -> str:
    at = wanted[failed]
    done = sorted({change.joint for change in wanted[:failed]} - {at.joint})
    rest = sorted({change.joint for change in wanted[failed:]} - {at.joint})
    said = [f"{at.joint} half (at {at.register})", *(f"{name} new" for name in done), *(f"{name} old" for name in rest)]
    return f"the EPROM is half written ({', '.join(said)}); mend the cause and calibrate again before the arm moves"
