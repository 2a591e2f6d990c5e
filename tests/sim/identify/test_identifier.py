"""What is asked of an arm keeps clear of contact, and what it did becomes a recording."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics
from porl_robot.safety import JointLimits
from sim.identify.identifier import Identifier

from ...arms import described

WATCHED = ("commanded", "position", "velocity", "load", "current", "voltage")


@pytest.fixture(scope="module")
def light():
    return described("light")


def limits(robot, lean=0.0):
    """The model's workspace, the shoulder further forward by `lean` [rad]."""
    (lower, upper), ones = ArmKinematics(robot.model).workspace, np.ones(len(robot.joints))
    away = lean * np.array([name == "shoulder_lift" for name in robot.names])
    return JointLimits(robot.names, lower + away, upper + away, 3.0 * ones, 60.0 * ones, 3000.0 * ones)


def test_readings_find_their_blocks_although_some_are_missing(light):
    identifier = Identifier(light)
    motion = identifier.excitation(limits(light), seed=0)
    time = 7.0 + (np.arange(len(motion.position)) + 0.2) / motion.hz
    kept = np.random.default_rng(0).random(len(time)) > 0.05
    watched = {name: motion.position[kept] for name in WATCHED}
    recording = identifier.recording(motion, 7.0, time[kept], watched, "c0ffee")
    assert recording.header.calibration == "c0ffee"
    assert recording.header.gains == light.gains
    for planned, found in zip(motion.blocks, recording.header.blocks, strict=True):
        assert found.joint == planned.joint
        inside = recording.time[found.start : found.stop] - 7.0
        assert inside[0] == pytest.approx(planned.start / motion.hz, abs=0.08)
        assert inside[-1] == pytest.approx(planned.stop / motion.hz, abs=0.08)
        assert planned.start / motion.hz <= inside[0] and inside[-1] < planned.stop / motion.hz


def test_a_recording_made_so_is_read_again(light, tmp_path):
    identifier = Identifier(light)
    motion = identifier.excitation(limits(light), seed=0)
    time = np.arange(len(motion.position)) / motion.hz
    recording = identifier.recording(motion, 0.0, time, dict.fromkeys(WATCHED, motion.position), "c0ffee")
    recording.save(tmp_path / "recording.npz")
    assert identifier.load(tmp_path / "recording.npz").header == recording.header


def test_a_motion_into_contact_is_refused(light):
    with pytest.raises(UserError, match=r"would bring shapes within -?\d+ mm of each other, 10 mm are kept"):
        Identifier(light).excitation(limits(light, lean=1.0), seed=0)


def test_an_arm_without_a_model_is_refused(light):
    with pytest.raises(UserError, match="robot=light: has no MuJoCo model to identify"):
        Identifier(dataclasses.replace(light, model=None))
