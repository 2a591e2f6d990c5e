"""Known parameters come back from what they made an arm do; what the data cannot tell is kept and named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from porl_robot.safety import JointLimits
from sim.identify.excitation import Block, excitation
from sim.identify.fit import fit, tracking_error
from sim.identify.model_file import ModelFile
from sim.identify.parameters import NAMES
from sim.identify.simulation import Simulation

from .conftest import HZ, recorded


def part(recording, blocks):
    """The recording with other blocks."""
    return dataclasses.replace(recording, header=dataclasses.replace(recording.header, blocks=tuple(blocks)))


@pytest.fixture(scope="module")
def model(model_path):
    return ModelFile(model_path, ("hinge",))


def fitted(model, recording):
    """The fits, and the held-out errors before and after."""
    with Simulation(model.model, model.servos, recording, threads=1) as simulation:
        found = fit(simulation, recording, model.parameters, lambda _: None)
        after = np.stack([each.fitted for each in found])
        return found, *(tracking_error(simulation, recording, each) for each in (model.parameters, after))


def test_known_parameters_are_recovered(model, recording, truth):
    own, held_out = recording.header.blocks
    steps_and_chord = Block("hinge", own.start + 1350, own.stop)
    (found,), before, after = fitted(model, part(recording, [steps_and_chord, held_out]))
    named = dict(zip(NAMES, found.fitted, strict=True))
    assert found.kept == ()
    assert named["delay"] == pytest.approx(truth.delay, abs=0.001)
    assert named["kp"] == pytest.approx(truth.kp, rel=0.02)
    assert named["damping"] == pytest.approx(truth.damping, rel=0.02)
    assert named["frictionloss"] == pytest.approx(truth.frictionloss, rel=0.05)
    assert named["backlash"] == pytest.approx(truth.backlash, abs=0.0005)
    assert before > 0.03
    assert after < 0.0006  # the quantisation of a tick alone makes 0.00044
    assert (found.error < 0.05 * np.maximum(found.fitted, 0.01)).all()


def test_what_a_few_slow_moves_cannot_tell_is_kept_and_named(model, recording):
    own, held_out = recording.header.blocks
    (found,), before, after = fitted(model, part(recording, [Block("hinge", own.start, own.start + 300), held_out]))
    assert found.kept == ("backlash",)
    assert found.fitted[NAMES.index("backlash")] == 0.0
    assert found.error[NAMES.index("backlash")] > 0.002
    assert after < before


def test_a_joint_that_never_moves_alone_keeps_its_prior(model, recording):
    (found,), before, after = fitted(model, part(recording, recording.header.blocks[-1:]))
    assert found.kept == NAMES
    assert np.array_equal(found.fitted, model.parameters[0])
    assert before == after


def test_a_joint_that_does_not_move_in_its_block_keeps_its_prior(model, recording):
    still = dataclasses.replace(
        recording,
        commanded=np.concatenate([np.zeros((500, 1)), recording.commanded[500:]]),
        position=np.concatenate([np.zeros((500, 1)), recording.position[500:]]),
    )
    (found,), *_ = fitted(model, part(still, [Block("hinge", 0, 500), recording.header.blocks[-1]]))
    assert {"delay", "damping", "frictionloss", "backlash"} <= set(found.kept)


@pytest.mark.slow
def test_every_joint_of_the_so101_is_recovered():
    path = data_dir("configs") / "robot" / "models" / "so101.xml"
    arm, model = ArmKinematics(path), ModelFile(path, ArmKinematics(path).names)
    ones = np.ones(len(arm.names))
    limits = JointLimits(arm.names, *arm.workspace, 3.0 * ones, 60.0 * ones, 3000.0 * ones)
    rng = np.random.default_rng(0)
    shape = model.parameters.shape
    truth = model.parameters * rng.uniform(0.7, 1.4, shape)
    truth[:, 0], truth[:, 4] = rng.uniform(0.005, 0.04, shape[0]), rng.uniform(0.0, 0.02, shape[0])
    found, before, after = fitted(model, recorded(path, excitation(limits, HZ, seed=0), truth))
    for own, real in zip(found, truth, strict=True):
        assert own.kept == ()
        assert own.fitted[[0, 4]] == pytest.approx(real[[0, 4]], abs=0.001)
        assert own.fitted[1:4] == pytest.approx(real[1:4], rel=0.05)
    assert (before > 0.005).all()
    assert (after < 0.0006).all()
