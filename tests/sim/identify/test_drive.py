"""Delay and backlash, step by step as a simulation takes them and whole as the fit does."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from sim.identify.drive import Drive, numeric
from sim.identify.simulation import delayed, played

STEP = 0.002


def model(delay: str | None = None, backlash: str | None = None) -> mujoco.MjModel:
    numerics = "".join(
        f'<numeric name="{name}" data="{data}"/>' for name, data in (("delay", delay), ("backlash", backlash)) if data
    )
    joint = '<body><joint name="{0}"/><geom size=".1"/></body>'
    return mujoco.MjModel.from_xml_string(
        f'<mujoco><option timestep="{STEP}"/><worldbody>{joint.format("a")}{joint.format("b")}</worldbody><actuator>'
        f'<position joint="a"/><position joint="b"/></actuator><custom>{numerics}</custom></mujoco>'
    )


def driven(drive: Drive, goals: np.ndarray) -> np.ndarray:
    drive.reset(goals[0])
    return np.stack([drive.advance(goal) for goal in goals])


def test_a_model_without_numerics_follows_at_once():
    goals = np.random.default_rng(0).normal(size=(20, 2))
    assert np.array_equal(driven(Drive(model()), goals), goals)


def test_whole_steps_of_delay_are_whole_steps():
    goals = np.random.default_rng(0).normal(size=(20, 2))
    late = driven(Drive(model(delay="0.006 0.002")), goals)
    assert late[3:, 0] == pytest.approx(goals[:-3, 0])
    assert late[1:, 1] == pytest.approx(goals[:-1, 1])
    assert late[:3, 0] == pytest.approx(goals[0, 0])


def test_a_part_of_a_step_counts_in_part():
    goals = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    assert driven(Drive(model(delay="0.0015 0.0025")), goals)[1:, 0] == pytest.approx([0.25, 1.0, 1.0])
    assert driven(Drive(model(delay="0.0015 0.0025")), goals)[1:, 1] == pytest.approx([0.0, 0.75, 1.0])


def test_backlash_is_lost_at_every_reversal():
    goals = np.array([0.0, 1.0, 2.0, 1.9, 1.0, 0.0, 0.1])[:, None] * np.ones(2)
    assert driven(Drive(model(backlash="0.4 0")), goals)[:, 0] == pytest.approx([0.0, 0.8, 1.8, 1.8, 1.2, 0.2, 0.2])
    assert driven(Drive(model(backlash="0.4 0")), goals)[:, 1] == pytest.approx(goals[:, 1])


def test_a_reset_forgets():
    drive = Drive(model(delay="0.006 0.002", backlash="0.1 0.1"))
    driven(drive, np.random.default_rng(0).normal(size=(20, 2)))
    drive.reset(np.array([0.3, -0.2]))
    assert drive.advance(np.array([0.3, -0.2])) == pytest.approx([0.3, -0.2])


def test_the_fit_drives_as_the_simulation_does():
    rng = np.random.default_rng(1)
    steps, delay, backlash = 400, np.array([0.0137, 0.0041]), np.array([0.02, 0.3])
    edges = STEP * np.arange(steps + 1)
    goals = np.repeat(rng.normal(size=(steps // 5, 2)), 5, axis=0)
    text = [" ".join(map(str, each)) for each in (delay, backlash)]
    stepwise = driven(Drive(model(*text)), goals)
    whole = played(delayed(edges[:-1], goals, edges, delay)[None], backlash[None])[0]
    assert whole == pytest.approx(stepwise, abs=1e-9)


def test_a_delay_moves_the_mean_and_keeps_it():
    time, goals = np.array([0.0, 0.5, 1.0]), np.array([[0.0], [1.0], [0.0]])
    edges = STEP * np.arange(1001)
    for delay in (0.0, 0.0123, 0.4999):
        means = delayed(time, goals, edges, np.array([delay]))[:, 0]
        assert means.sum() * STEP == pytest.approx(0.5)
        assert (means * (edges[:-1] + STEP / 2)).sum() / means.sum() == pytest.approx(0.75 + delay, abs=1e-6)


@pytest.mark.parametrize("data", ["0.1", "0.1 0.1 0.1", "0.1 -0.1", "0.1 inf"])
def test_what_is_no_delay_is_refused(data):
    with pytest.raises(ValueError, match="expected 2 values of at least zero"):
        numeric(model(delay=data), "delay")
