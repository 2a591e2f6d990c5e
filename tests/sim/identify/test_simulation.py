"""The fit's runs of a model are what stepping it with a `Drive` gives."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from sim.identify.drive import Drive
from sim.identify.excitation import Block
from sim.identify.model_file import ModelFile
from sim.identify.simulation import Simulation


def test_runs_equal_stepping_with_a_drive(recording, model_path, truth, tmp_path):
    """On a bus whose samples fall on physics steps, where both mean the same."""
    fitted = np.array([[truth.delay, truth.kp, truth.damping, truth.frictionloss, truth.backlash]])
    path = tmp_path / "model.xml"
    ModelFile(model_path, ("hinge",)).write(path, fitted, "a test")
    file = ModelFile(path, ("hinge",))
    block = Block("hinge", 0, 300)
    regular = dataclasses.replace(recording, time=0.01 * np.arange(len(recording.time)))
    with Simulation(file.model, file.servos, regular, threads=2) as simulation:
        run, other = simulation.positions(block, [file.parameters, ModelFile(model_path, ("hinge",)).parameters])
    data, drive = mujoco.MjData(file.model), Drive(file.model)
    data.qpos[:] = recording.position[0]
    drive.reset(recording.commanded[0])
    stepped = []
    for goal in recording.commanded[:300]:
        stepped.append(data.qpos.copy())
        for _ in range(5):
            data.ctrl[:] = drive.advance(goal)
            mujoco.mj_step(file.model, data)
    assert run == pytest.approx(np.array(stepped), abs=1e-6)
    assert np.abs(other - run).max() > 0.01
