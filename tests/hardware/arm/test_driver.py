"""The driver on a virtual arm: what it says is true, goals stay inside the limits, every fault has a kind."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hardware.arm import driver
from hardware.arm.driver import Arm
from hardware.arm.faults import ArmFault, FaultKind
from hardware.arm.reader import SOFT_FAILURES
from hardware.bus import Bus
from hardware.errors import NoReply
from porl_robot.command import FloatArray
from sim.virtual_arm.launch import LaunchedArm

TICK = 2 * np.pi / 4096
PERIOD = 0.01


def truth(virtual: LaunchedArm) -> FloatArray:
    return np.array(virtual.state()["position"])


def driven(virtual: LaunchedArm) -> list[bool]:
    return [bool(each) for each in virtual.state()["driven"]]


def cycle(arm: Arm, goal: FloatArray, count: int) -> None:
    for _ in range(count):
        arm.read()
        arm.send(goal)
        arm.watch()
        arm.inspect()
        time.sleep(PERIOD)


def fault_within(arm: Arm, goal: FloatArray, count: int) -> ArmFault:
    with pytest.raises(ArmFault) as caught:
        cycle(arm, goal, count)
    return caught.value


def test_opening_changes_nothing_and_tells_the_truth(virtual: LaunchedArm, arm: Arm) -> None:
    assert driven(virtual) == [False] * 6 and arm.drive.on == [False] * 6
    assert arm.telemetry.position == pytest.approx(truth(virtual), abs=1.1 * TICK)
    assert arm.telemetry.voltage == pytest.approx(12.0, abs=0.2)
    assert arm.telemetry.temperature.max() < 40.0
    assert arm.telemetry.flags == (frozenset(),) * 6


def test_torque_comes_on_where_the_arm_stands(virtual: LaunchedArm, arm: Arm) -> None:
    before = truth(virtual)
    arm.torque_on(1.0)
    time.sleep(0.2)
    assert driven(virtual) == [True] * 6 and arm.drive.on == [True] * 6
    assert truth(virtual) == pytest.approx(before, abs=0.07)
    bus = arm._bus
    assert [bus.read(3, name) for name in ("position_p", "position_i", "position_d")] == [16, 0, 32]
    assert [bus.read(3, name) for name in ("acceleration", "goal_velocity", "lock")] == [0, 0, 1]


def test_arming_that_fails_leaves_the_torque_as_it_was(
    virtual: LaunchedArm, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm._bus.write(1, "torque_enable", 1)
    arm.drive.on[0] = True

    def broken_off(bus: Bus, *_: object) -> dict[int, int]:
        bus.write(2, "torque_enable", 1)
        raise NoReply("servo 3 does not answer")

    monkeypatch.setattr(driver, "torque_on", broken_off)
    with pytest.raises(ArmFault, match="servo 3 does not answer"):
        arm.torque_on(1.0)
    assert driven(virtual) == [True] + [False] * 5 and arm.drive.on == [True] + [False] * 5


def test_a_goal_is_reached_no_faster_than_allowed(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(0.3)
    goal = arm.goal.copy()
    goal[0] += 0.3
    begun = time.monotonic()
    while arm.goal[0] < goal[0] - 1e-9:
        arm.read()
        arm.send(goal)
    assert time.monotonic() - begun >= 0.3 / (0.3 * 3.0)
    time.sleep(0.5)
    assert truth(virtual)[0] == pytest.approx(goal[0], abs=0.03)


def test_no_goal_leaves_the_calibrated_range(arm: Arm) -> None:
    arm.torque_on(1.0)
    for far in (9.0, -9.0):
        goal = arm.goal.copy()
        goal[5] = far
        cycle(arm, goal, 60)
        end = arm.limits.upper[5] if far > 0 else arm.limits.lower[5]
        assert abs(arm.goal[5]) <= abs(far) and (arm.goal[5] - end) * np.sign(far) <= 0.0


def test_a_goal_that_is_no_number_is_a_fault(arm: Arm) -> None:
    arm.torque_on(1.0)
    before = arm.goal.copy()
    goal = before.copy()
    goal[2] = np.nan
    fault = fault_within(arm, goal, 1)
    assert fault.fault.kind is FaultKind.COMMAND and "elbow_flex" in str(fault)
    assert (arm.goal == before).all()


def test_a_stop_leaves_every_servo_as_configured(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(1.0)
    assert arm.safe_stop("hold") == {} and driven(virtual) == [True] * 6
    assert arm.safe_stop("torque_off") == {} and driven(virtual) == [False] * 6
    assert arm.drive.on == [False] * 6


def test_a_stop_turns_no_torque_on(virtual: LaunchedArm, arm: Arm) -> None:
    assert arm.safe_stop("hold") == {}
    assert driven(virtual) == [False] * 6


def test_a_stop_reaches_the_servos_behind_a_dead_one(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(1.0)
    virtual.tell("dead ids=2")
    unsafe = arm.safe_stop("torque_off")
    assert list(unsafe) == ["shoulder_lift"] and "does not answer" in unsafe["shoulder_lift"]
    assert [on for place, on in enumerate(driven(virtual)) if place != 1] == [False] * 5


def test_a_missed_cycle_keeps_the_last_reading(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(1.0)
    assert arm.read() is True
    before = arm.telemetry.measured
    virtual.tell("dead ids=4")
    for _ in range(SOFT_FAILURES - 1):
        assert arm.read() is False
        assert (arm.telemetry.measured == before).tolist() == [place == 3 for place in range(6)]
    virtual.tell("clear")
    assert arm.read() is True
    assert np.all(arm.telemetry.measured > before)


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ("dead ids=2", FaultKind.SILENT, "shoulder_lift (id 2) has not answered for 3 cycles"),
        ("drop p=1 for=1", FaultKind.SILENT, "no servo has answered"),
        ("overload ids=5 for=3", FaultKind.OVERLOAD, "wrist_roll has given 100 % of its drive"),
    ],
)
def test_fault(virtual: LaunchedArm, arm: Arm, faults: str, kind: FaultKind, words: str) -> None:
    arm.torque_on(1.0)
    virtual.tell(faults)
    fault = fault_within(arm, arm.goal, 100)
    assert fault.fault.kind is kind and words in str(fault) and fault.fault.remedy in str(fault)


def test_after_a_brown_out_the_stop_finds_who_lost_the_torque_and_does_not_restore_it(
    virtual: LaunchedArm, arm: Arm
) -> None:
    arm.torque_on(1.0)
    virtual.tell("brownout")
    assert fault_within(arm, arm.goal, 100).fault.kind in (FaultKind.BROWN_OUT, FaultKind.SILENT, FaultKind.VOLTAGE)
    time.sleep(0.3)
    arm.safe_stop("hold")
    assert arm.drive.on == [False] * 6 and driven(virtual) == [False] * 6
    assert "wrist_roll, gripper lost torque without being told to" in arm.drive.reset_fault().cause


def test_a_stuck_encoder_is_found_while_its_goal_moves(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(0.3)
    cycle(arm, arm.goal, 5)
    virtual.tell("stuck ids=1")
    ahead = arm.goal.copy()
    ahead[0] += 0.4
    fault = fault_within(arm, ahead, 60)
    assert fault.fault.kind is FaultKind.STUCK and "shoulder_pan" in str(fault)


def test_a_reading_is_held_against_the_goal_that_was_there_before_it(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    arm.torque_on(1.0)
    arm.read()
    before, judged = arm.goal.copy(), []
    monkeypatch.setattr(arm._watch, "fault", lambda telemetry, goal: judged.append(goal))
    time.sleep(PERIOD)
    arm.send(before + 0.05)
    arm.watch()
    assert np.abs(arm.goal - before).max() > 0.001
    assert judged[0] == pytest.approx(before)


def test_an_unplugged_cable_is_one_fault_and_no_obstacle_to_the_stop(virtual: LaunchedArm, arm: Arm) -> None:
    arm.torque_on(1.0)
    virtual.tell("unplug for=0.3")
    fault = fault_within(arm, arm.goal, 100)
    assert fault.fault.kind is FaultKind.DISCONNECTED and str(fault).count(";") == 1
    assert set(arm.safe_stop("torque_off")) == set(arm.limits.names)
    time.sleep(0.4)
