"""The excitation stays within what it is given, and says which part is which."""

from __future__ import annotations

import numpy as np
import pytest

from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from porl_robot.safety import JointLimits
from sim.identify.excitation import LEAD_IN, excitation
from sim.identify.strokes import Pace, chord, move

HZ = 100.0


def made(name: str, speed: float = 1.0, seed: int = 0):
    arm = ArmKinematics(data_dir("configs") / "robot" / "models" / f"{name}.xml")
    ones = np.ones(len(arm.names))
    rates = (3.0 * speed * ones, 60.0 * speed * ones, 3000.0 * speed * ones)
    limits = JointLimits(arm.names, *arm.workspace, *rates)
    return arm, limits, excitation(limits, HZ, seed)


@pytest.mark.parametrize("speed", [1.0, 0.3])
@pytest.mark.parametrize("name", ["so101", "light"])
def test_limits_are_kept(name, speed):
    arm, limits, motion = made(name, speed)
    for values, bound in (
        (np.diff(motion.position, axis=0) * HZ, limits.velocity),
        (np.diff(motion.position, n=2, axis=0) * HZ**2, limits.acceleration),
        (np.diff(motion.position, n=3, axis=0) * HZ**3, limits.jerk),
        (motion.velocity, limits.velocity),
        (motion.acceleration, limits.acceleration),
    ):
        assert (np.abs(values).max(0) <= bound * (1 + 1e-6)).all()
    assert (motion.position >= limits.lower).all() and (motion.position <= limits.upper).all()
    assert min(arm.clearance(pose) for pose in motion.position[::20]) > 0.02


def test_velocity_and_acceleration_belong_to_the_position():
    _, _, motion = made("so101")
    mean_velocity = (motion.velocity[1:] + motion.velocity[:-1]) / 2
    assert np.abs(np.diff(motion.position, axis=0) * HZ - mean_velocity).max() < 0.03
    mean_acceleration = (motion.acceleration[1:] + motion.acceleration[:-1]) / 2
    assert np.abs(np.diff(motion.velocity, axis=0) * HZ - mean_acceleration).max() < 8.0


def test_one_joint_moves_in_its_block_and_all_in_the_held_out_one():
    arm, _, motion = made("so101")
    assert [block.joint for block in motion.blocks] == [*arm.names, None]
    assert [block.start for block in motion.blocks[1:]] == [block.stop for block in motion.blocks[:-1]]
    middle = (arm.workspace[0] + arm.workspace[1]) / 2
    for block in motion.blocks:
        moved = np.ptp(motion.position[block.start : block.stop], axis=0) > 0.0
        assert tuple(np.array(arm.names)[moved]) == (arm.names if block.joint is None else (block.joint,))
        assert motion.position[block.stop - 1] == pytest.approx(middle)
        after_lead_in = motion.position[block.start + round(LEAD_IN * HZ) - 1]
        assert after_lead_in == pytest.approx(middle)


def test_the_seed_decides():
    motions = [made("light", seed=seed)[2] for seed in (3, 3, 4)]
    assert np.array_equal(motions[0].position, motions[1].position)
    assert motions[0].position.shape != motions[2].position.shape or not np.allclose(
        motions[0].position, motions[2].position
    )


def test_a_move_ends_where_it_should_at_rest():
    pace = Pace(HZ, 3.0, 60.0, 3000.0)
    assert move(pace, 0.2, -0.4)[-1] == pytest.approx([-0.4, 0.0, 0.0], abs=1e-9)
    assert move(pace, 0.2, 0.2).shape == (0, 3)


def test_a_chord_begins_and_ends_at_rest_and_holds_its_frequencies():
    own = chord(Pace(HZ, 3.0, 60.0, 3000.0), 0.3, 6.0, (2, 7), np.array([1.0, -1.0]))
    assert own[-1] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert np.abs(own[0]).max() < 0.2
    spectrum = np.abs(np.fft.rfft(own[:, 0]))
    assert set(np.argsort(spectrum)[-2:]) <= {1, 2, 3}
    assert spectrum[[2, 7]].min() > 20 * spectrum[15:].max()
