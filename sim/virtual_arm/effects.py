"""What the active faults do to the arm."""

from __future__ import annotations

from collections.abc import Iterable

from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.faults import Fault
from sim.virtual_arm.servo import Servo


def apply_faults(faults: Iterable[Fault], arm: VirtualArm) -> None:
    """Makes the arm suffer exactly `faults`, those of `faults.SERVO`; a servo is meant by the id in its memory."""
    stood = [servo.drive.frozen for servo in arm.servos]
    arm.restore_supply()
    arm.hands.clear()
    for servo in arm.servos:
        servo.silent, servo.alias = False, None
        servo.drive.frozen, servo.drive.pressed, servo.drive.heated = None, 0.0, None
    for fault in faults:
        if fault.kind == "brownout":
            arm.supply = fault.value
        for place, servo in enumerate(arm.servos):
            if fault.befalls(servo.memory["id"]):
                _afflict(servo, fault, stood[place])
                if fault.kind == "hand":
                    arm.hands[place] = fault.value


def _afflict(servo: Servo, fault: Fault, stood: float | None) -> None:
    drive = servo.drive
    if fault.kind == "dead":
        servo.silent = True
    elif fault.kind == "duplicate" and servo.memory["id"] == fault.ids[1]:
        servo.alias = fault.ids[0]
    elif fault.kind == "stuck":
        drive.frozen = drive.shaft if stood is None else stood
    elif fault.kind == "overload":
        drive.pressed = fault.value
    elif fault.kind == "overheat":
        drive.heated = fault.value
