"""The reach task on a virtual arm, through its host."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from hardware.description import DeadMan, RobotDescription
from hardware.serial_env import SPEED_CAP, SerialReach
from porl_robot.control.operator import Operator
from porl_robot.control.session import Action, Session
from porl_robot.env import step_info
from porl_robot.errors import UserError
from porl_robot.paths import data_dir
from porl_robot.supervision import Halted
from sim.virtual_arm.launch import LaunchedArm

from ..arms import comes_to_rest

SCALE = 2.0


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("virtual") / "arm", time_scale=SCALE) as arm:
        yield arm


def described(port: Path | str | None, time_scale: float = SCALE) -> RobotDescription:
    made: RobotDescription = instantiate(OmegaConf.load(data_dir("configs") / "robot" / "so101.yaml"), _convert_="all")
    return replace(made, port=None if port is None else str(port), time_scale=time_scale)


@pytest.fixture
def env(virtual: LaunchedArm) -> Iterator[SerialReach]:
    made = SerialReach(described(virtual.link))
    yield made
    virtual.tell("clear")
    made.close()


def test_a_virtual_arm_arms_itself_and_is_led_slowly_to_the_start(virtual: LaunchedArm, env: SerialReach) -> None:
    assert not env.arming_needed and env.real_time
    begun = np.array(virtual.state()["position"])
    moment = env._now()
    observation, _ = env.reset(seed=3)
    passed = env._now() - moment
    start = env.task.start(np.random.default_rng(3))
    assert np.isfinite(observation).all()
    assert env.robot_state().commanded.values[4:] == pytest.approx(start[4:])
    assert virtual.state()["position"] == pytest.approx(env.robot_state().commanded.values, abs=0.07)
    farthest = np.abs(env.robot_state().commanded.values - begun).max()
    assert passed >= farthest / (SPEED_CAP * 3.0)
    assert max(np.abs(virtual.state()["velocity"])) < 0.2


def test_an_episode_runs_at_the_arms_own_twenty_hertz(env: SerialReach) -> None:
    env.reset(seed=1)
    begun, steps = time.monotonic(), []
    for k in range(10):
        _, reward, terminated, truncated, info = env.step(np.full(4, np.cos(k)))
        steps.append(step_info(info))
        assert reward == -1.0 and not terminated and not truncated
    wall = time.monotonic() - begun
    assert wall == pytest.approx(10 * 0.05 / SCALE, abs=0.15)
    assert np.diff([step.time_tick for step in steps]).mean() == pytest.approx(0.05, abs=0.03)
    for step in steps:
        assert step.fault is None and step.time_observed <= step.time_tick <= step.time_sent
    state = env.robot_state()
    assert 0.0 <= state.age < 0.3 and state.temperature is not None and state.voltage is not None


def test_the_thread_that_leads_the_arm_is_scheduled_in_real_time_and_only_while_it_does(env: SerialReach) -> None:
    def hurried() -> bool:
        return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO

    if not env._scheduling.granted:
        pytest.skip("real-time scheduling is not permitted here")
    assert not hurried()
    env.reset(seed=1)
    env.step(np.zeros(4))
    assert hurried()
    env.hold()
    assert not hurried()


def test_the_same_seed_asks_for_the_same_episode(env: SerialReach) -> None:
    env.reset(seed=5)
    goal, pose = env.goal.copy(), env.robot_state().commanded.values
    env.reset(seed=5)
    assert (env.goal == goal).all()
    assert env.robot_state().commanded.values == pytest.approx(pose, abs=1e-9)


def test_a_nan_holds_the_arm_and_ends_the_episode(virtual: LaunchedArm, env: SerialReach) -> None:
    env.reset(seed=2)
    _, _, terminated, truncated, info = env.step(np.array([0.0, np.nan, 0.0, 0.0]))
    assert truncated and not terminated and "finite" in str(step_info(info).fault)
    assert comes_to_rest(virtual)


def test_a_fault_of_the_arm_ends_the_episode_and_nothing_turns_the_torque_on(
    virtual: LaunchedArm, env: SerialReach
) -> None:
    env.reset(seed=2)
    env.step(np.zeros(4))
    virtual.tell("brownout")
    for _ in range(20):
        observation, _, terminated, truncated, info = env.step(np.zeros(4))
        if truncated:
            break
    assert truncated and not terminated and np.isfinite(observation).all()
    assert step_info(info).fault is not None
    time.sleep(0.3)
    with pytest.raises(Halted, match=r"torque|answered|sags"):
        env.reset(seed=2)
    assert not any(virtual.state()["driven"])


def test_the_death_of_the_host_is_a_fault_and_hold_and_close_go_on(env: SerialReach) -> None:
    env.reset(seed=2)
    os.kill(env._host.pid, signal.SIGKILL)
    for _ in range(30):
        _, _, _, truncated, info = env.step(np.zeros(4))
        if truncated:
            break
    assert truncated and "the arm host has ended" in str(step_info(info).fault)
    env.hold()
    env.close()
    env.close()


def test_closing_leaves_the_arm_held_as_configured(virtual: LaunchedArm, env: SerialReach) -> None:
    env.reset(seed=2)
    env.step(np.ones(4))
    env.close()
    assert all(virtual.state()["driven"])
    assert comes_to_rest(virtual)


def test_closing_tells_of_a_servo_whose_torque_stays_on_and_of_the_bus(
    virtual: LaunchedArm, caplog: pytest.LogCaptureFixture
) -> None:
    env = SerialReach(replace(described(virtual.link), dead_man=DeadMan(end_state="torque_off")))
    env.reset(seed=1)
    env.hold()
    virtual.tell("dead ids=3")
    try:
        with caplog.at_level(logging.INFO, logger="hardware"):
            env.close()
            env.close()
    finally:
        virtual.tell("clear")
    told = [record.getMessage() for record in caplog.records]
    assert "the torque of elbow_flex may still be on: switch the supply off" in told
    assert sum(line.startswith("bus: ") for line in told) == 1
    assert any(line.startswith("arm host: ") and "elbow_flex could not be brought" in line for line in told)
    assert virtual.state()["driven"] == [False, False, True, False, False, False]


def test_an_outage_of_the_supply_is_told_as_such(virtual: LaunchedArm, env: SerialReach) -> None:
    env.supervisor = operator = Operator(Session(), judges=False)
    operator.session.act(Action.ARM)
    env.arm()
    operator.start()
    env.reset(seed=1)
    virtual.tell("brownout for=0.3")
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(np.zeros(4))
    assert "lost torque without being told to" in str(step_info(info).fault)


def test_a_host_that_stood_still_for_a_moment_is_no_fault(env: SerialReach) -> None:
    env.reset(seed=2)
    env.step(np.zeros(4))
    os.kill(env._host.pid, signal.SIGSTOP)
    threading.Timer(0.4 / SCALE, os.kill, (env._host.pid, signal.SIGCONT)).start()
    for _ in range(12):
        *_, truncated, info = env.step(np.zeros(4))
        assert step_info(info).fault is None and not truncated


def test_a_second_env_on_the_same_port_is_refused(virtual: LaunchedArm, env: SerialReach) -> None:
    with pytest.raises(UserError, match=r"in use by process \d+ .*hardware.host"):
        SerialReach(described(virtual.link))


@pytest.mark.parametrize(
    ("robot", "words"),
    [
        (lambda link: described(None), "robot.port=... is missing"),
        (lambda link: described(link, 1.0), "give robot.time_scale=2"),
        (lambda link: described("/dev/ttyS0", 2.0), "is no virtual arm"),
        (lambda link: described("/dev/ttyUSB77", 1.0), "/dev/ttyUSB77: no such port"),
    ],
)
def test_bad_input(virtual: LaunchedArm, robot, words: str) -> None:
    with pytest.raises(UserError) as caught:
        SerialReach(robot(virtual.link))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("/dev/ttyUSB77").exists()


def test_a_real_arm_waits_for_an_operator_and_keeps_to_the_cap(
    virtual: LaunchedArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the manifest that makes an arm a virtual one."""
    before = virtual.state()["driven"]
    manifest = virtual.link.with_name(virtual.link.name + ".json")
    written = manifest.read_text()
    calibration = data_dir("calibration") / "virtual-so101.json"
    monkeypatch.setattr("hardware.serial_env.calibration_file", lambda port: calibration)
    manifest.unlink()
    try:
        env = SerialReach(described(virtual.link, 1.0))
    finally:
        manifest.write_text(written)
    assert env.arming_needed
    assert (env.limits.velocity == SPEED_CAP * 3.0).all()
    rows = dict(env.arming_card().rows)
    assert rows["port"].startswith(str(virtual.link)) and "30 % of 3 rad/s" in rows["speed"]
    with pytest.raises(Halted, match="armed"):
        env.reset(seed=0)
    assert virtual.state()["driven"] == before
    env.close()
