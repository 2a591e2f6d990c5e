"""The twin moves as the identified model says, delay and backlash included."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim.identify.model_file import ModelFile
from sim.serial_twin import SerialTwin

from ...arms import described


@pytest.fixture(scope="module")
def so101():
    return described("so101")


def pan(robot, actions):
    """Where the pan is after each action [rad]."""
    twin = SerialTwin(robot)
    twin.reset(seed=0)
    begun = twin.robot_state().position[0]
    out = []
    for action in actions:
        twin.step(np.array([action, 0.0, 0.0, 0.0]))
        out.append(twin.robot_state().position[0] - begun)
    return np.array(out)


def identified(robot, path, **changes):
    file = ModelFile(robot.model, robot.names)
    fitted = file.parameters
    for column, value in changes.items():
        fitted[:, {"delay": 0, "damping": 2, "backlash": 4}[column]] = value
    file.write(path, fitted, "a test")
    return dataclasses.replace(robot, model=path)


def test_a_delay_moves_it_later(so101, tmp_path):
    actions = [1.0] * 6
    late = pan(identified(so101, tmp_path / "late.xml", delay=0.05), actions)
    assert late[1:] == pytest.approx(pan(so101, actions)[:-1], abs=0.004)


def test_backlash_is_lost_at_a_reversal(so101, tmp_path):
    actions = [1.0] * 4 + [0.0] * 6 + [-1.0] * 4 + [0.0] * 6
    loose = pan(identified(so101, tmp_path / "loose.xml", backlash=0.03), actions)
    tight = pan(so101, actions)
    assert tight[9] - loose[9] == pytest.approx(0.015, abs=0.005)
    assert loose[-1] - tight[-1] == pytest.approx(0.015, abs=0.005)


def test_an_unchanged_copy_moves_as_the_original(so101, tmp_path):
    actions = [1.0, 1.0, -1.0, 0.5]
    assert pan(identified(so101, tmp_path / "same.xml"), actions) == pytest.approx(pan(so101, actions), abs=0.0016)


def test_more_damping_slows_it(so101, tmp_path):
    actions = [1.0] * 3
    assert pan(identified(so101, tmp_path / "slow.xml", damping=3.0), actions)[-1] < 0.7 * pan(so101, actions)[-1]
