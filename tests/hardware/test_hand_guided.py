"""An arm without torque that is moved by hand: what is recorded, and that the torque comes back on every way out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from hardware import hand_guided
from hardware.description import DeadMan, EndState, RobotDescription
from hardware.hand_guided import HandGuidedReach
from hardware.reach import INCREMENT, MOVED
from porl_robot.command import FloatArray
from porl_robot.control.operator import Operator
from porl_robot.control.session import Action, Session, State
from porl_robot.env import StepInfo, step_info
from porl_robot.paths import data_dir
from porl_robot.supervision import Halted
from sim.virtual_arm.launch import LaunchedArm

SCALE = 2.0
AHEAD = 0.08  # rad: how far a hand that does not hurry is ahead of a joint


def described(port: Path, end_state: EndState) -> RobotDescription:
    path = data_dir("configs") / "robot" / "so101.yaml"
    made: RobotDescription = instantiate(OmegaConf.load(path), _convert_="all")
    return replace(made, port=str(port), time_scale=SCALE, dead_man=DeadMan(end_state=end_state))


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("guided") / "arm", time_scale=SCALE) as arm:
        yield arm


@pytest.fixture
def made(launched: LaunchedArm) -> Iterator[Callable[..., HandGuidedReach]]:
    """Makes the env, led by a person who has nothing to do with the torque."""
    envs: list[HandGuidedReach] = []

    def make(end_state: EndState = "hold") -> HandGuidedReach:
        env = HandGuidedReach(described(launched.link, end_state))
        envs.append(env)
        session = Session()
        session.act(Action.ARM)
        env.supervisor = operator = Operator(session, judges=True, led=True)
        env.arm()
        operator.start()
        assert session.state is State.HUMAN
        return env

    yield make
    for env in envs:
        env.close()
    launched.tell("clear")


@pytest.fixture
def env(made: Callable[..., HandGuidedReach]) -> HandGuidedReach:
    return made()


def driven(arm: LaunchedArm) -> bool:
    states = set(arm.state()["driven"])
    assert len(states) == 1
    return bool(states.pop())


def pull(arm: LaunchedArm, pose: FloatArray, ahead: float = AHEAD) -> None:
    """Moves the hands a little on towards `pose`; they let go after one period."""
    at = np.array(arm.state()["position"])
    goals = at + np.clip(pose - at, -ahead, ahead)
    arm.tell("; ".join(f"hand ids={k + 1} to={goal} for=0.12" for k, goal in enumerate(goals)))


def led_by_hand(
    env: HandGuidedReach, arm: LaunchedArm, pose: FloatArray, steps: int
) -> Iterator[tuple[FloatArray, StepInfo]]:
    """Steps while hands move the arm; the commanded joints before each step, and what became of it."""
    for _ in range(steps):
        before = env.robot_state().commanded.values.copy()
        pull(arm, pose)
        info = env.step(np.full(MOVED, np.nan))[4]
        yield before, step_info(info)


def test_hands_move_the_arm_and_actions_follow_from_it(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    assert not driven(launched)
    pose = np.array(launched.state()["position"]) + np.array([0.3, -0.15, 0.2, 0.2, 0.0, 0.0])
    for before, step in led_by_hand(env, launched, pose, 25):
        after = env.robot_state().commanded.values
        assert step.fault is None and np.abs(step.action).max() <= 1.0
        assert after[:MOVED] - before[:MOVED] == pytest.approx(INCREMENT * step.action, abs=1e-9)
        assert not driven(launched)
    commanded = env.robot_state().commanded.values
    assert commanded[:MOVED] == pytest.approx(env.robot_state().position[:MOVED], abs=0.05)
    assert commanded[0] > 0.15 + env.task.start(np.random.default_rng(1))[0]


def test_hands_that_hurry_are_counted(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    begun = env.robot_state().commanded.values.copy()
    launched.tell(f"hand ids=1 to={begun[0] - 0.6} for=0.5")
    step = step_info(env.step(np.zeros(MOVED))[4])
    while not step.verdict.interventions and env._steps < 5:
        step = step_info(env.step(np.zeros(MOVED))[4])
    assert [each.filter for each in step.verdict.interventions] == ["pace"]
    assert step.action[0] == -1.0 and step.verdict.filters == 1 << env.safety.names.index("pace")
    assert "shoulder_pan: moved faster than 1 rad/s" in step.verdict.interventions[0].reason


def test_hands_outside_the_workspace_are_counted(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    launched.tell(f"hand ids=4 to={env.task.upper[3] + 0.15} for=2")
    filters = {each.filter for _ in range(30) for each in step_info(env.step(np.zeros(MOVED))[4]).verdict.interventions}
    assert "position" in filters
    assert env.robot_state().commanded.values[3] == pytest.approx(env.task.upper[3])


def test_between_episodes_the_arm_is_held_where_it_stands_then_led(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    truncated = False
    while not truncated:
        *_, truncated, _ = env.step(np.zeros(MOVED))
    assert driven(launched)
    report = env._look()
    assert report.commanded == pytest.approx(report.position, abs=0.05)
    env.reset(seed=2)
    assert not driven(launched)
    start = env.task.start(np.random.default_rng(2))
    assert env.robot_state().position == pytest.approx(start, abs=0.1)


def operator_of(env: HandGuidedReach) -> Operator:
    assert isinstance(env.supervisor, Operator)
    return env.supervisor


def test_a_pause_holds_the_arm_and_hands_have_it_back_after(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    operator, held = operator_of(env), []

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if operator.paused:
            held.append(driven(launched))
            if len(held) == 3:
                operator.press("t")

    operator.sleep = sleep  # type: ignore[method-assign]
    operator.press("p")
    step = step_info(env.step(np.zeros(MOVED))[4])
    assert held[1:] == [True] * 2 and step.fault is None  # the first sleep is that of the period under way
    env.step(np.zeros(MOVED))
    assert not driven(launched) and operator.session.state is State.HUMAN


@pytest.mark.parametrize("end_state", ["hold", "torque_off"])
def test_a_stop_takes_the_arm_out_of_the_hands(
    launched: LaunchedArm, made: Callable[..., HandGuidedReach], end_state: EndState
) -> None:
    env = made(end_state)
    env.reset(seed=1)
    env.step(np.zeros(MOVED))
    operator_of(env).press(" ")
    assert env.step(np.zeros(MOVED))[3]
    assert driven(launched)
    with pytest.raises(Halted):
        env.reset(seed=2)
    env.close()
    assert driven(launched) is (end_state == "hold")


def test_an_env_that_is_closed_in_the_middle_leaves_the_arm_held(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    env.close()
    assert driven(launched)


def test_a_fault_ends_the_episode_and_turns_no_torque_on(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    launched.tell("unplug for=0.5")
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(np.zeros(MOVED))
    assert "disconnected" in str(step_info(info).fault)
    env.close()
    time.sleep(0.6)
    assert not driven(launched)


def test_a_host_that_fell_silent_turns_no_torque_on_in_the_hands(launched: LaunchedArm, env: HandGuidedReach) -> None:
    env.reset(seed=1)
    os.kill(env._host.pid, signal.SIGSTOP)
    try:
        truncated = False
        while not truncated:
            *_, truncated, info = env.step(np.zeros(MOVED))
    finally:
        os.kill(env._host.pid, signal.SIGCONT)
    assert "last read" in str(step_info(info).fault)
    env.hold()
    time.sleep(0.3)
    assert not driven(launched)
    env.close()
    assert not driven(launched)


def test_on_a_real_arm_it_is_announced_before_the_torque_goes(
    launched: LaunchedArm, env: HandGuidedReach, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hand_guided, "GRACE", 0.6)
    rows = dict(env.arming_card().rows)
    assert rows["by hand"].startswith("no torque during episodes: hold the arm")
    env.arming_needed = True
    begun = env._now()
    env.reset(seed=1)
    assert "hold the arm: its torque goes off in 0.6 s" in caplog.messages
    assert env._now() - begun > 0.6 and not driven(launched)
    env.reset(seed=1)
    assert "the torque is on: let the arm go, it is led to its start in 0.6 s" in caplog.messages
