"""A pendulum on one servo, and what an arm does under an excitation, simulated by other means than the fit's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import pytest
from mujoco import rollout

from hardware.description import Gains, RobotDescription, robot
from porl_robot.safety import JointLimits
from sim.identify.excitation import Excitation, excitation
from sim.identify.recording import Header, Recording

MODEL = """
<mujoco model="pendulum">
  <compiler angle="radian"/>
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <body>
      <joint name="hinge" axis="0 1 0" range="-2 2" damping="0.608" armature="0.028" frictionloss="0.052"
             solimpfriction="0.999 0.9999"/>
      <geom type="capsule" size=".01" fromto="0 0 0 .2 0 0" mass=".3"/>
    </body>
  </worldbody>
  <actuator><position name="hinge" joint="hinge" kp="14.43" forcerange="-2.94 2.94"/></actuator>
</mujoco>
"""
TICK = math.tau / 4096
FINE = 0.0005  # [s], a quarter of the model's own step
HZ = 100.0


@dataclass(frozen=True)
class Truth:
    """What the pendulum really is."""

    delay: float
    kp: float
    damping: float
    frictionloss: float
    backlash: float


def pulled(moments: list[float], goals: list[float], edges: list[float], delay: float, backlash: float) -> list[float]:
    """The goal in force `delay` ago, after the play, at every one of `edges`."""
    out, newest, play = [], -1, goals[0]
    for edge in edges:
        while newest + 1 < len(moments) and moments[newest + 1] <= edge - delay:
            newest += 1
        goal = goals[max(newest, 0)]
        play = min(max(play, goal - backlash / 2), goal + backlash / 2)
        out.append(play)
    return out


def recorded(path: Path, motion: Excitation, truth: np.ndarray) -> Recording:
    """What the model in `path` does with parameters `truth` (n, 5): sent with a millisecond's jitter, seen in ticks."""
    model = mujoco.MjModel.from_xml_path(str(path))
    model.opt.timestep = FINE
    model.actuator_gainprm[:, 0], model.actuator_biasprm[:, 1] = truth[:, 1], -truth[:, 1]
    model.dof_damping[:], model.dof_frictionloss[:] = truth[:, 2], truth[:, 3]
    jitter = np.random.default_rng(0).uniform(0.0, 0.001, len(motion.position))
    time = np.arange(len(motion.position)) / motion.hz + jitter + 1.0
    edges = np.arange(0.0, time[-1] + FINE, FINE)
    controls = [
        pulled(time.tolist(), goals.tolist(), edges.tolist(), own[0], own[4])
        for goals, own in zip(motion.position.T, truth, strict=True)
    ]
    data = mujoco.MjData(model)
    data.qpos[:] = motion.position[-1]
    state = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
    mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    states, _ = rollout.rollout(model, data, state[None], np.array(controls).T[None])
    samples = np.round(time / FINE).astype(int) - 1
    position, velocity = states[0, samples, 1 : model.nq + 1], states[0, samples, model.nq + 1 :]
    zeros = np.zeros_like(position)
    header = Header("pendulum", motion.names, "c0ffee", "2025-01-01T00:00:00", HZ, Gains(16, 0, 32), motion.blocks)
    whole = np.round(position / TICK) * TICK
    return Recording(header, time, motion.position, whole, velocity, zeros, zeros, zeros + 12.0)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pendulum") / "pendulum.xml"
    path.write_text(MODEL)
    return path


@pytest.fixture(scope="session")
def pendulum(model_path) -> RobotDescription:
    return robot(
        name="pendulum",
        protocol="feetech",
        joints={"hinge": {"id": 1, "servo": "STS3215"}},
        gains={"p": 16, "i": 0, "d": 32},
        supply=12.0,
        velocity=3.0,
        acceleration=60.0,
        jerk=3000.0,
        model=str(model_path),
    )


@pytest.fixture(scope="session")
def truth() -> Truth:
    return Truth(delay=0.0237, kp=11.5, damping=0.79, frictionloss=0.083, backlash=0.012)


@pytest.fixture(scope="session")
def recording(model_path, truth) -> Recording:
    limits = JointLimits(("hinge",), *(np.array([each]) for each in (-0.5, 0.5, 3.0, 60.0, 3000.0)))
    values = np.array([[truth.delay, truth.kp, truth.damping, truth.frictionloss, truth.backlash]])
    return recorded(model_path, excitation(limits, HZ, seed=0), values)
