"""What was commanded and what the arm did: one file, whole or refused."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hardware.description import Gains, RobotDescription
from hardware.errors import HardwareError
from porl_robot.command import FloatArray
from porl_robot.files import replace_file
from sim.identify.excitation import LEAD_IN, Block

_VERSION = 1
_FEWEST = 100  # samples of a block that are compared
_MISSING = 2.5  # bus cycles between samples from which on goals are unknown
_FORGOTTEN = 0.3  # after so long the arm moves as if it had not had them [s]


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording is of.

    Attributes:
        robot: kind of arm, as in `robot=NAME`.
        joints: names, in the order of the columns.
        calibration: hash of the arm's calibration.
        date: when it was recorded, ISO 8601.
        bus_hz: samples per second that were aimed at.
        gains: the servos' position gains meanwhile.
        blocks: which samples belong together.
    """

    robot: str
    joints: tuple[str, ...]
    calibration: str
    date: str
    bus_hz: float
    gains: Gains
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """T samples of n joints. `time`: shape (T,); the others (T, n).

    Attributes:
        header: what it is of.
        time: when the joints were measured [s], arm time, ascending.
        commanded: the goal that the servos have from `time` on [rad].
        position, velocity: measured [rad], [rad/s].
        load: share of the full duty; zero where the servo does not measure it.
        current: [A]; zero where the servo does not measure it.
        voltage: at the servo [V].
    """

    header: Header
    time: FloatArray
    commanded: FloatArray
    position: FloatArray
    velocity: FloatArray
    load: FloatArray
    current: FloatArray
    voltage: FloatArray

    def compared(self, block: Block) -> npt.NDArray[np.bool_]:
        """Which samples of `block` a simulation under the recorded goals should meet: those after the lead-in, but not
        those after a gap in the recording, until the goals that are not known do not matter any more."""
        time = self.time[block.start : block.stop]
        gaps = np.flatnonzero(np.diff(time) > _MISSING / self.header.bus_hz)
        compared = time >= time[0] + LEAD_IN
        for ended in time[gaps + 1]:
            compared &= (time < ended) | (time > ended + _FORGOTTEN)
        return compared

    def save(self, path: Path) -> None:
        """Writes it durably and in one stroke: an npz archive, the header as JSON in it."""
        content = io.BytesIO()
        header = json.dumps({"version": _VERSION, **asdict(self.header)})
        np.savez_compressed(content, header=np.array(header), **{name: getattr(self, name) for name in _ARRAYS})
        replace_file(path, content.getvalue())


_ARRAYS = tuple(each.name for each in fields(Recording) if each.name != "header")


def load_recording(path: Path, robot: RobotDescription) -> Recording:
    """A recording of `robot`.

    Raises:
        HardwareError: it is missing, damaged, of another arm or gains, or holds what cannot be; says which.
    """
    header, arrays = _read(path)
    _require_fit(path, header, robot)
    recording = Recording(header, **arrays)
    _require_sound(path, recording)
    return recording


def _read(path: Path) -> tuple[Header, dict[str, FloatArray]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            header = _header(json.loads(str(file["header"])))
            return header, {name: np.asarray(file[name], np.float64) for name in _ARRAYS}
    except FileNotFoundError as error:
        raise HardwareError(f"log={path}: no such file; identify without log= records one") from error
    except IsADirectoryError as error:
        raise HardwareError(f"log={path}: is a folder; expected a recording that identify wrote") from error
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise HardwareError(f"log={path}: no recording that can be read ({reason}); record it again") from error


def _header(content: Mapping[str, Any]) -> Header:
    if content["version"] != _VERSION:
        raise ValueError(f"format version {content['version']}, this program reads {_VERSION}")
    return Header(
        robot=str(content["robot"]),
        joints=tuple(map(str, content["joints"])),
        calibration=str(content["calibration"]),
        date=str(content["date"]),
        bus_hz=float(content["bus_hz"]),
        gains=Gains(**content["gains"]),
        blocks=tuple(Block(**each) for each in content["blocks"]),
    )


def _require_fit(path: Path, header: Header, robot: RobotDescription) -> None:
    if header.robot != robot.name:
        raise HardwareError(f"log={path}: is of robot={header.robot}; expected robot={robot.name}")
    if header.joints != robot.names:
        raise HardwareError(
            f"log={path}: its joints are {', '.join(header.joints)}; robot={robot.name} has {', '.join(robot.names)}"
        )
    if header.gains != robot.gains:
        raise HardwareError(
            f"log={path}: was recorded under {header.gains}, robot={robot.name} has {robot.gains}: the servo gain of "
            "the model would not be the arm's; record it again or set robot.gains"
        )


def _require_sound(path: Path, recording: Recording) -> None:
    samples, joints = len(recording.time), len(recording.header.joints)
    for name in _ARRAYS:
        values = getattr(recording, name)
        expected = (samples,) if name == "time" else (samples, joints)
        if values.shape != expected:
            raise HardwareError(f"log={path}: {name} has shape {values.shape}, expected {expected}; record it again")
        wrong = np.flatnonzero(~np.isfinite(values.reshape(samples, -1)).all(1))
        if len(wrong):
            raise HardwareError(
                f"log={path}: {name} is not finite in {len(wrong)} samples, first in sample {wrong[0]}; record it again"
            )
    back = np.flatnonzero(np.diff(recording.time) <= 0.0)
    if len(back):
        raise HardwareError(f"log={path}: time does not ascend after sample {back[0]}; record it again")
    _require_blocks(path, recording)


def _require_blocks(path: Path, recording: Recording) -> None:
    header = recording.header
    for block in header.blocks:
        if block.joint is not None and block.joint not in header.joints:
            raise HardwareError(
                f"log={path}: a block moves joint {block.joint}, which it does not have; record it again"
            )
        if not 0 <= block.start < block.stop <= len(recording.time):
            raise HardwareError(
                f"log={path}: block {block.start} to {block.stop} is none of its {len(recording.time)} samples; "
                "record it again"
            )
        usable = int(recording.compared(block).sum())
        if usable < _FEWEST:
            raise HardwareError(
                f"log={path}: block {block.start} to {block.stop} has {usable} samples after its first second and its "
                f"gaps, {_FEWEST} are needed; record it again"
            )
    if all(block.joint is not None for block in header.blocks):
        raise HardwareError(f"log={path}: no block is held out, without which no error can be told; record it again")
