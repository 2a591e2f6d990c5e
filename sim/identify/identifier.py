"""All of an identification but the moving: what to do with the arm, and what to make of what it did."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from hardware.description import RobotDescription
from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics
from porl_robot.safety import JointLimits
from sim.identify.excitation import Block, Excitation, excitation
from sim.identify.figure import draw
from sim.identify.fit import JointFit, fit, tracking_error
from sim.identify.model_file import ModelFile
from sim.identify.recording import Header, Recording, load_recording
from sim.identify.simulation import Simulation

MODEL, FIGURE = "model.xml", "tracking.png"

_CLEARANCE = 0.01  # [m]
_LOOKED_AT = 10  # every so many samples


@dataclass(frozen=True, eq=False, slots=True)
class Identification:
    """What came of it.

    Attributes:
        model: the file that was written.
        joints: their parameters before and after.
        before, after: RMS tracking error over the held-out blocks with the model as it was and as it became, shape (n,)
            [rad].
    """

    model: Path
    joints: tuple[JointFit, ...]
    before: FloatArray
    after: FloatArray

    def rows(self) -> list[dict[str, str | float]]:
        """The errors, one row per joint, plain values only."""
        columns = zip(self.joints, self.before.tolist(), self.after.tolist(), strict=True)
        return [{"joint": own.joint, "before": before, "after": after} for own, before, after in columns]


class Identifier:
    """For one arm.

    Raises:
        UserError: the arm has no model, or one that cannot be identified.
    """

    def __init__(self, robot: RobotDescription) -> None:
        if robot.model is None:
            raise UserError(f"robot={robot.name}: has no MuJoCo model to identify; give one with robot.model=FILE")
        self._robot = robot
        self._model = ModelFile(robot.model, robot.names)
        self._kinematics = ArmKinematics(robot.model)

    def excitation(self, limits: JointLimits, seed: int) -> Excitation:
        """The motion to identify the arm by, within `limits`.

        Raises:
            UserError: it would bring shapes of the model too close to each other.
        """
        motion = excitation(limits, self._robot.bus_hz, seed)
        nearest = min(self._kinematics.clearance(pose) for pose in motion.position[::_LOOKED_AT])
        if nearest < _CLEARANCE:
            raise UserError(
                f"robot.model {self._model.path}: the excitation would bring shapes within {1e3 * nearest:.0f} mm of "
                f"each other, {1e3 * _CLEARANCE:.0f} mm are kept; correct its workspace_lower and workspace_upper"
            )
        return motion

    def recording(
        self, motion: Excitation, began: float, time: FloatArray, watched: Mapping[str, FloatArray], calibration: str
    ) -> Recording:
        """What the arm did when `motion` was played on it.

        Args:
            motion: as `excitation` made it.
            began: when its first goal was due [s], arm time.
            time: of K readings of the joints [s], shape (K,).
            watched: the arrays of a `Recording` by their names, each of shape (K, n).
            calibration: hash of the arm's.
        """
        edges = {
            at: int(np.searchsorted(time, began + at / motion.hz)) for block in motion.blocks for at in _ends(block)
        }
        blocks = tuple(Block(block.joint, *(edges[at] for at in _ends(block))) for block in motion.blocks)
        robot, date = self._robot, datetime.now().isoformat(timespec="seconds")
        header = Header(robot.name, robot.names, calibration, date, robot.bus_hz, robot.gains, blocks)
        return Recording(header, time, **watched)

    def load(self, path: Path) -> Recording:
        """A recording of this arm.

        Raises:
            UserError: it is none.
        """
        return load_recording(path, self._robot)

    def identify(self, recording: Recording, out: Path, progress: Callable[[JointFit], None]) -> Identification:
        """Fits the model to `recording`; writes `MODEL` and `FIGURE` into the folder `out`.

        Args:
            progress: called after each joint.
        """
        model, header, prior = self._model, recording.header, self._model.parameters
        with Simulation(model.model, model.servos, recording, threads=len(os.sched_getaffinity(0))) as simulation:
            joints = fit(simulation, recording, prior, progress)
            fitted = np.stack([joint.fitted for joint in joints])
            before, after = (tracking_error(simulation, recording, each) for each in (prior, fitted))
            draw(out / FIGURE, simulation, recording, prior, fitted)
        model.write(out / MODEL, fitted, f"from the recording of {header.date}, calibration {header.calibration[:12]}")
        return Identification(out / MODEL, joints, before, after)


def _ends(block: Block) -> tuple[int, int]:
    return block.start, block.stop
