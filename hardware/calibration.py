"""What is known of one physical arm: where its ticks lie in radians, and how far they go.

A file per arm, `calibration/SERIAL.json`, with a hash over what it says.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hardware.errors import HardwareError
from porl_robot.files import replace_file

TICKS_PER_TURN = 4096
CENTRE = 2048
"""The tick at which a calibrated joint stands in the middle of its range."""

_OFFSET_LIMIT = 2047
_VERSION = 1


@dataclass(frozen=True, slots=True)
class JointCalibration:
    """One joint. Ticks are those that the servo reports with its homing offset in place.

    Attributes:
        id, servo, firmware: of the servo on the bus, by which another arm is recognised.
        homing_offset: as in the servo's EPROM [ticks], in [-2047, 2047].
        range_min, range_max: where the joint may go [ticks].
        sign: 1 where ticks grow with the model's angle, else -1.
        middle: angle of the model at the centre tick [rad].
    """

    id: int
    servo: str
    firmware: str
    homing_offset: int
    range_min: int
    range_max: int
    sign: int
    middle: float

    def __post_init__(self) -> None:
        if abs(self.homing_offset) > _OFFSET_LIMIT:
            raise ValueError(f"homing_offset {self.homing_offset} is outside [-{_OFFSET_LIMIT}, {_OFFSET_LIMIT}]")
        if not 0 <= self.range_min < self.range_max < TICKS_PER_TURN:
            raise ValueError(f"range {self.range_min} to {self.range_max} is not inside 0 to {TICKS_PER_TURN - 1}")
        if self.sign not in (-1, 1):
            raise ValueError(f"sign {self.sign} is neither 1 nor -1")
        if not math.isfinite(self.middle):
            raise ValueError(f"middle {self.middle} is not finite")

    def radians(self, ticks: float) -> float:
        """The angle at a position [ticks], or at a fraction of one."""
        return self.middle + self.sign * (ticks - CENTRE) * math.tau / TICKS_PER_TURN

    def ticks(self, radians: float) -> int:
        """The nearest position [ticks] to an angle inside the range; outside it, the range's end."""
        exact = CENTRE + self.sign * (radians - self.middle) * TICKS_PER_TURN / math.tau
        return min(max(round(exact), self.range_min), self.range_max)

    @property
    def limits(self) -> tuple[float, float]:
        """The range as angles, lower and upper [rad]."""
        ends = sorted((self.radians(self.range_min), self.radians(self.range_max)))
        return ends[0], ends[1]


@dataclass(frozen=True, slots=True)
class Calibration:
    """One arm.

    Attributes:
        robot: kind of arm, as in `robot=NAME`.
        serial: of the USB adapter (or of the virtual arm); names the file.
        date: when it was made, ISO 8601.
        joints: by name, in the arm's order.
    """

    robot: str
    serial: str
    date: str
    joints: Mapping[str, JointCalibration]

    @property
    def hash(self) -> str:
        """SHA-256 of everything it says, hexadecimal."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes it durably and in one stroke."""
        content = {"version": _VERSION, **self._content(), "hash": self.hash}
        replace_file(path, (json.dumps(content, indent=2) + "\n").encode())

    def _content(self) -> dict[str, Any]:
        joints = {name: asdict(joint) for name, joint in self.joints.items()}
        return {"robot": self.robot, "serial": self.serial, "date": self.date, "joints": joints}


def load_calibration(path: Path) -> Calibration:
    """Reads a file that `Calibration.save` wrote.

    Raises:
        HardwareError: there is none, or it was damaged or edited by hand.
    """
    try:
        content = json.loads(path.read_bytes())
        made = _read(content)
    except FileNotFoundError as error:
        raise HardwareError(f"{path}: no such calibration; porl-robot calibrate writes one") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise HardwareError(f"{path}: no calibration that can be read ({error}); calibrate the arm again") from error
    if content.get("hash") != made.hash:
        raise HardwareError(f"{path}: its hash does not match what it says: edited or damaged; calibrate the arm again")
    return made


def _read(content: Mapping[str, Any]) -> Calibration:
    if content["version"] != _VERSION:
        raise ValueError(f"version {content['version']}, expected {_VERSION}")
    joints = {name: _joint(name, each) for name, each in content["joints"].items()}
    return Calibration(str(content["robot"]), str(content["serial"]), str(content["date"]), joints)


def _joint(name: str, given: Mapping[str, Any]) -> JointCalibration:
    expected = {each.name for each in fields(JointCalibration)}
    if set(given) != expected:
        raise ValueError(f"joint {name} has keys {sorted(given)}, expected {sorted(expected)}")
    try:
        return JointCalibration(**given)
    except ValueError as error:
        raise ValueError(f"joint {name}: {error}") from error
