"""From a recording to a model file: fit, held-out error, figure."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hardware.description import RobotDescription
from porl_robot.env import FloatArray
from porl_robot.errors import UserError
from sim.identify.figure import draw
from sim.identify.fit import JointFit, fit, tracking_error
from sim.identify.model_file import ModelFile
from sim.identify.recording import Recording
from sim.identify.simulation import Simulation

MODEL, FIGURE = "model.xml", "tracking.png"


@dataclass(frozen=True, eq=False, slots=True)
class Identification:
    """What came of it.

    Attributes:
        joints: their parameters before and after.
        before, after: RMS tracking error over the held-out blocks with the model as it was and as it became, shape (n,)
            [rad].
    """

    joints: tuple[JointFit, ...]
    before: FloatArray
    after: FloatArray


def load_model(robot: RobotDescription) -> ModelFile:
    """The model that `robot` has so far.

    Raises:
        UserError: it has none, or one that cannot be identified.
    """
    if robot.model is None:
        raise UserError(f"robot={robot.name}: has no MuJoCo model to identify; give one with robot.model=FILE")
    return ModelFile(robot.model, robot.names)


def identify(model: ModelFile, recording: Recording, out: Path, progress: Callable[[JointFit], None]) -> Identification:
    """Fits `model` to `recording`; writes `MODEL` and `FIGURE` into the folder `out`.

    Args:
        progress: called after each joint.
    """
    prior = model.parameters
    with Simulation(model.model, model.servos, recording, threads=len(os.sched_getaffinity(0))) as simulation:
        joints = fit(simulation, recording, prior, progress)
        fitted = np.stack([joint.fitted for joint in joints])
        before, after = (tracking_error(simulation, recording, each) for each in (prior, fitted))
        draw(out / FIGURE, simulation, recording, prior, fitted)
    header = recording.header
    model.write(out / MODEL, fitted, f"from the recording of {header.date}, calibration {header.calibration[:12]}")
    return Identification(joints, before, after)
