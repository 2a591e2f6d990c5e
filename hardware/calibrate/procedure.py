"""Calibrating an arm, in the order in which it happens.

Nothing is written before the operator has seen it and agreed, and no servo moves under limits that the sweep did not
measure: so the EPROM is written between the sweep and the small moves that show which way each joint counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

from hardware.bus import Bus, open_bus
from hardware.calibrate.directions import Directions
from hardware.calibrate.eprom import by_joint, write_changes
from hardware.calibrate.hand import sweep_by_hand
from hardware.calibrate.operator import NOT_AGREED, Operator
from hardware.calibrate.release import released, require_no_torque
from hardware.calibrate.writing import write
from hardware.calibration import Calibration, JointCalibration, load_calibration
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.eprom import Values, changes, effective_offset, read_held, reversals
from hardware.errors import HardwareError
from hardware.homing import Homing, calibrated, centred
from hardware.identity import calibration_file, require_same_arm, serial_number
from hardware.lerobot import read_lerobot, write_lerobot
from hardware.manifest import read_manifest
from hardware.plausibility import require_plausible
from hardware.ranges import Ranges, joint_ranges
from hardware.roll_call import roll_call
from porl_robot.errors import UsageError


class Procedure:
    """Calibrates the arm at `robot.port`.

    Args:
        robot: what is there.
        signs: per joint 1 where its ticks grow with the model's angle, else -1; None to find out.

    Attributes:
        virtual: it is a virtual arm, which shows by itself how its joints turn.

    Raises:
        UsageError: the arm at the port cannot be this one, or the signs are not the joints'.
    """

    def __init__(self, robot: RobotDescription, signs: Sequence[int] | None = None) -> None:
        self._robot, self._port = robot, require_same_arm(robot)
        self._manifest = read_manifest(self._port)
        self.virtual = self._manifest is not None
        if signs is not None and (len(signs) != len(robot.joints) or not set(signs) <= {1, -1}):
            raise UsageError(f"signs={list(signs)}: expected 1 or -1 for each of {', '.join(robot.names)}")
        self._signs = signs

    def calibrate(self, operator: Operator, source: Path | None = None) -> Path:
        """Sweeps the arm, or takes over LeRobot's file `source`; returns where the calibration is stored.

        Raises:
            HardwareError: a check failed, the operator did not agree, or the arm fell out. The torque is off.
            UsageError: somebody has to be asked, and nobody is there.
        """
        robot, ranges = self._robot, joint_ranges(self._robot)
        path = self._own_file()
        _require_writable(path)
        before = self._before(operator)
        clock = Clock(robot.time_scale)
        with closing(open_bus(robot, clock)) as bus, released(bus, robot):
            firmware = roll_call(bus, robot)
            require_no_torque(bus, robot)
            held = _counting_forwards(bus, robot, operator)
            if before is not None:
                for line in by_joint(changes(robot, before.joints, held), "{held} ({wanted} by the file)"):
                    operator.tell(f"EPROM and calibration file differ: {line}")
            if source is None:
                homings = _swept(bus, clock, robot, ranges, operator, held)
                signs = dict.fromkeys(robot.names, 1)
            else:
                homings, signs = _imported(source, robot, ranges, operator)
            if before is not None:
                signs = {name: joint.sign for name, joint in before.joints.items()}
            require_plausible(robot, ranges, homings)
            joints = _joints(robot, firmware, homings, signs, ranges)
            write(bus, robot, joints, held, operator)
            link = Path(self._port) if self.virtual else None
            joints = Directions(bus, clock, robot, operator, link, self._signs).confirmed(joints)
        made = Calibration(robot.name, serial_number(self._port), date.today().isoformat(), joints)
        self._store(made, path)
        return path

    def export(self, target: Path) -> Path:
        """Stores the arm's calibration at `target` as LeRobot reads it; returns where it was taken from.

        Raises:
            HardwareError: the arm has none, or that of another kind of arm.
            UsageError: `target` exists or cannot be written.
        """
        path = calibration_file(self._port)
        calibration = load_calibration(path)
        if not self._is_of_this_kind(calibration):
            raise HardwareError(f"{path}: is that of a {calibration.robot}; give robot={calibration.robot}")
        write_lerobot(target, self._robot, calibration)
        return path

    def _own_file(self) -> Path:
        """A virtual arm keeps its own beside its link: the shipped one stays as it is."""
        if self.virtual:
            return Path(self._port).absolute().with_name(f"{Path(self._port).name}.calibrated.json")
        return calibration_file(self._port)

    def _before(self, operator: Operator) -> Calibration | None:
        path = calibration_file(self._port)
        if not path.exists():
            return None
        try:
            before = load_calibration(path)
        except HardwareError as error:
            operator.tell(f"{error}; it will be replaced")
            return None
        if not self._is_of_this_kind(before):
            operator.tell(f"{path}: is that of a {before.robot}; it will be replaced")
            return None
        return before

    def _is_of_this_kind(self, calibration: Calibration) -> bool:
        return calibration.robot == self._robot.name and tuple(calibration.joints) == self._robot.names

    def _store(self, made: Calibration, path: Path) -> None:
        try:
            made.save(path)
        except OSError as error:
            raise HardwareError(
                f"{path}: cannot be written ({error.strerror}), though the servos hold the calibration; make room "
                "there and calibrate again"
            ) from error
        if self._manifest is not None:
            replace(self._manifest, calibration=str(path)).write(Path(self._port))


def _require_writable(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise HardwareError(
            f"{folder}: is no folder that may be written to, and the calibration is to be stored there; create it, or "
            "change its permissions"
        )


def _counting_forwards(bus: Bus, robot: RobotDescription, operator: Operator) -> dict[str, dict[str, int]]:
    """What the servos hold once none of them counts backwards, which the operator has agreed to.

    Raises:
        HardwareError: the operator did not, or a servo does not take it.
    """
    held = read_held(bus, robot)
    backwards = reversals(robot, held)
    if not backwards:
        return held
    for line in by_joint(backwards, "{held} -> {wanted}"):
        operator.tell(f"counts backwards; to be written before it is measured: {line}")
    if not operator.agrees("write this to the EPROM?"):
        raise HardwareError(NOT_AGREED)
    write_changes(bus, robot, backwards)
    return read_held(bus, robot)


def _swept(
    bus: Bus, clock: Clock, robot: RobotDescription, ranges: Ranges, operator: Operator, held: Mapping[str, Values]
) -> Mapping[str, Homing]:
    sweeps = sweep_by_hand(bus, clock, robot, ranges, operator)
    return {
        joint.name: centred(
            sweeps[joint.name], robot.protocol, effective_offset(robot.protocol, held[joint.name]), joint.continuous
        )
        for joint in robot.joints
    }


def _imported(
    source: Path, robot: RobotDescription, ranges: Ranges, operator: Operator
) -> tuple[Mapping[str, Homing], dict[str, int]]:
    taken = read_lerobot(source, robot, ranges)
    for name in taken.assumed:
        homing = taken.homings[name]
        operator.tell(
            f"{name}: LeRobot never sweeps it; its range is taken to be the model's, {homing.range_min} to "
            f"{homing.range_max} ticks around the pose it was homed in"
        )
    return taken.homings, dict(taken.signs)


def _joints(
    robot: RobotDescription,
    firmware: Mapping[str, str],
    homings: Mapping[str, Homing],
    signs: Mapping[str, int],
    ranges: Ranges,
) -> dict[str, JointCalibration]:
    made = {}
    for joint in robot.joints:
        name = joint.name
        try:
            made[name] = calibrated(joint, firmware[name], homings[name], signs[name], ranges[name])
        except ValueError as error:
            raise HardwareError(f"{name}: {error}; no servo can hold that: calibrate by hand instead") from error
    return made
