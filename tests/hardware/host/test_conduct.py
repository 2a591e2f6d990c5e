"""Orders, silence, faults and the end of the robot process, without bus and sockets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hardware.arm.faults import Fault, FaultKind
from hardware.description import DeadMan
from hardware.host.conduct import Conduct
from hardware.host.messages import Follow, HostState
from porl_robot.safety import JointLimits

ONES = np.ones(2)
LIMITS = JointLimits(("pan", "lift"), -ONES, ONES, 3 * ONES, 60 * ONES, 3000 * ONES)
TICK = 0.01


def armed() -> Conduct:
    conduct = Conduct(DeadMan())
    conduct.arm(LIMITS, np.zeros(2), 0.0)
    return conduct


def towards(position: float, now: float) -> Follow:
    return Follow(1, now, (position, 0.0), (0.0, 0.0), (0.0, 0.0), 0.05)


def moving() -> Conduct:
    """Moving fast at 0.3 s, when the last command comes."""
    conduct = armed()
    for now in np.arange(0.0, 0.31, 0.05):
        assert conduct.follow(towards(0.9, now), now)
    return conduct


def run(conduct: Conduct, begin: float, end: float) -> dict[HostState, float]:
    """Ticks as the loop does; returns when each state was first seen."""
    seen = {conduct.state: begin}
    for now in np.arange(begin, end, TICK):
        conduct.goal(now)
        seen.setdefault(conduct.state, now)
        if conduct.end_state_due(now):
            conduct.end_state_reached()
        seen.setdefault(conduct.state, now)
    return seen


def test_nothing_moves_before_it_is_armed() -> None:
    conduct = Conduct(DeadMan())
    assert not conduct.follow(towards(0.5, 0.0), 0.0)
    conduct.hold(0.0)
    assert conduct.goal(1.0) is None and conduct.state is HostState.DISARMED


def test_a_commanded_motion_is_followed() -> None:
    conduct = armed()
    assert conduct.follow(towards(0.02, 0.0), 0.0)
    goal = conduct.goal(0.09)
    assert goal is not None and goal[0] == pytest.approx(0.02)
    assert conduct.state is HostState.FOLLOWING


def test_an_order_that_took_too_long_to_arrive_is_not_followed() -> None:
    conduct = armed()
    assert not conduct.follow(towards(0.5, 1.0), 1.11)
    assert conduct.state is HostState.HOLDING


@pytest.mark.parametrize("change", [{"position": (0.1,)}, {"velocity": (0.0,) * 3}, {"duration": 0.0}])
def test_what_is_no_motion_of_the_joints_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no motion of 2 joints"):
        armed().follow(replace(towards(0.1, 0.0), **change), 0.0)


def test_silence_holds_then_stops() -> None:
    conduct = moving()
    seen = run(conduct, 0.3, 2.0)
    assert seen[HostState.LAPSED] == pytest.approx(0.4, abs=0.011)
    assert seen[HostState.STOPPING] == pytest.approx(0.8, abs=0.011)
    assert HostState.STOPPED in seen and not conduct.over


def test_after_a_short_silence_commands_count_again() -> None:
    conduct = moving()
    run(conduct, 0.3, 0.6)
    assert conduct.state is HostState.LAPSED
    assert conduct.follow(towards(0.5, 0.6), 0.6)
    assert conduct.state is HostState.FOLLOWING


def test_after_a_stop_nothing_counts_again() -> None:
    conduct = moving()
    conduct.stop(0.3)
    run(conduct, 0.3, 1.0)
    assert conduct.state is HostState.STOPPED
    assert not conduct.follow(towards(0.5, 1.0), 1.0)
    conduct.hold(1.0)
    assert conduct.state is HostState.STOPPED


def test_an_ordered_hold_lasts() -> None:
    conduct = moving()
    conduct.hold(0.3)
    assert set(run(conduct, 0.3, 5.0)) == {HostState.HOLDING}


def test_the_end_of_the_robot_process_stops_a_moving_arm_within_the_dead_mans_time() -> None:
    conduct = moving()
    conduct.owner_gone(0.32)
    seen = run(conduct, 0.32, 1.0)
    assert seen[HostState.LAPSED] == 0.32
    assert seen[HostState.STOPPED] <= 0.3 + 0.5 + 2 * TICK
    assert conduct.over


def test_the_end_of_the_robot_process_ends_a_hold_as_well() -> None:
    conduct = armed()
    run(conduct, 0.0, 5.0)
    conduct.owner_gone(5.0)
    seen = run(conduct, 5.0, 6.0)
    assert seen[HostState.STOPPED] == pytest.approx(5.5, abs=0.03) and conduct.over


def test_leaving_does_not_wait_for_the_dead_man() -> None:
    conduct = moving()
    conduct.leave(0.3)
    assert run(conduct, 0.3, 1.0)[HostState.STOPPED] < 0.45
    assert conduct.over


def test_unarmed_the_end_needs_no_stop() -> None:
    for end in (Conduct.leave, Conduct.owner_gone):
        conduct = Conduct(DeadMan())
        end(conduct, 1.0)
        assert conduct.over


def test_the_first_fault_is_kept_and_latched() -> None:
    conduct = moving()
    first = Fault(FaultKind.VOLTAGE, "pan gets 9 V")
    conduct.fail(first, np.zeros(2), 0.3)
    conduct.fail(Fault(FaultKind.SILENT, "later"), np.zeros(2), 0.31)
    run(conduct, 0.3, 1.0)
    assert conduct.fault == first and conduct.state is HostState.FAULT
    assert not conduct.follow(towards(0.5, 1.0), 1.0)
    conduct.stop(1.0)
    assert conduct.state is HostState.FAULT and not conduct.over
    conduct.leave(1.0)
    assert conduct.over


def test_a_deaf_bus_is_stopped_at_once() -> None:
    conduct = moving()
    conduct.fail(Fault(FaultKind.DISCONNECTED, "gone"), np.zeros(2), 0.3)
    assert conduct.end_state_due(0.3)


@pytest.mark.parametrize("kind", [FaultKind.OVERLOAD, FaultKind.OVERHEATED, FaultKind.SHUT_DOWN, FaultKind.STUCK])
def test_under_load_the_goal_gives_way_to_where_the_joint_is(kind: FaultKind) -> None:
    conduct = armed()
    conduct.follow(towards(0.1, 0.0), 0.0)
    conduct.goal(0.1)
    conduct.fail(Fault(kind, "pan"), np.array([0.02, 0.0]), 0.1)
    assert not conduct.end_state_due(0.1)
    goal = conduct.goal(0.3)
    assert goal is not None and goal == pytest.approx([0.02, 0.0])
    assert conduct.end_state_due(0.3)


def test_an_arm_that_still_moves_is_not_let_go_at_once() -> None:
    conduct = armed()
    conduct.stop(0.1)
    assert not conduct.end_state_due(0.2, still=False)
    assert not conduct.end_state_due(0.45, still=False)
    assert conduct.end_state_due(0.46, still=True)
    assert conduct.end_state_due(0.51, still=False)
