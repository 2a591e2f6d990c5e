"""Faults are seen in what the servos say, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hardware.arm.faults import ArmFault, Fault, FaultKind
from hardware.arm.telemetry import Telemetry
from hardware.arm.watch import Watch
from hardware.description import JointDescription

JOINTS = (JointDescription("pan", 1, "STS3215"), JointDescription("lift", 2, "STS3215"))
ZERO = np.zeros(2)
WELL = Telemetry(ZERO, 0.0, ZERO, ZERO, ZERO, np.full(2, 12.0), np.full(2, 30.0), ZERO, (frozenset(), frozenset()))


def watch() -> Watch:
    return Watch(JOINTS, (12.0, 12.0))


def test_a_healthy_arm_has_no_fault() -> None:
    assert watch().fault(WELL, ZERO) is None and watch().warnings(WELL) == ()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"flags": (frozenset(), frozenset({"overload"}))}, FaultKind.OVERLOAD, "lift is overloaded"),
        ({"flags": (frozenset({"encoder"}), frozenset())}, FaultKind.SERVO, "pan reports a broken encoder"),
        ({"temperature": np.array([30.0, 65.0])}, FaultKind.OVERHEATED, "lift is at 65 deg C"),
        ({"voltage": np.array([9.0, 12.0])}, FaultKind.VOLTAGE, "pan gets 9.0 V of 12 V"),
    ],
)
def test_fault(change: dict[str, object], kind: FaultKind, words: str) -> None:
    own = watch()
    assert own.fault(replace(WELL, **change), ZERO) is None
    assert own.fault(WELL, ZERO) is None
    assert own.fault(replace(WELL, **change), ZERO) is None
    found = own.fault(replace(WELL, **change), ZERO)
    assert found is not None and found.kind is kind and words in str(found) and found.remedy in str(found)


@pytest.mark.parametrize("flag", ["overload", "overheat"])
def test_a_servo_that_stays_shut_down_needs_its_supply_off(flag: str) -> None:
    own = Watch((JOINTS[0], JointDescription("lift", 2, "XL330-M288")), (12.0, 12.0))
    told = replace(WELL, flags=(frozenset(), frozenset({flag})))
    own.fault(told, ZERO)
    found = own.fault(told, ZERO)
    assert found is not None and found.kind is FaultKind.SHUT_DOWN and "supply off and on" in found.remedy


def test_every_servo_is_held_against_its_own_supply() -> None:
    own = Watch(JOINTS, (12.0, 5.0))
    for volts, words in (([12.0, 5.0], None), ([9.0, 5.0], "pan gets 9.0 V of 12 V"), ([12.0, 3.9], "lift gets 3.9 V")):
        told = replace(WELL, voltage=np.array(volts))
        own.fault(told, ZERO)
        found = own.fault(told, ZERO)
        assert found is None if words is None else found is not None and words in found.cause


def test_warm_servos_are_told_of_before_they_stop_the_arm() -> None:
    warm = replace(WELL, temperature=np.array([55.0, 30.0]))
    own = watch()
    assert own.fault(warm, ZERO) is None
    assert own.warnings(warm) == own.warnings(WELL) == own.warnings(warm) == ()
    assert own.warnings(warm) == ("pan is warmer than 55 deg C; the arm stops at 65",)


def test_a_servo_that_gives_all_it_has_is_overloaded_after_a_moment() -> None:
    own, pressed = watch(), replace(WELL, load=np.array([0.0, -0.97]))
    for now in (0.0, 0.04):
        assert own.fault(replace(pressed, heard=now), ZERO) is None
    found = own.fault(replace(pressed, heard=0.06), ZERO)
    assert found is not None and found.kind is FaultKind.OVERLOAD and "lift has given 97 %" in found.cause
    own.begin()
    assert own.fault(replace(pressed, heard=0.1), ZERO) is None
    assert own.fault(replace(WELL, heard=0.15), ZERO) is None
    assert own.fault(replace(pressed, heard=0.2), ZERO) is None


def led(
    own: Watch, position_speed: float, goal_speed: float, seconds: float, begun: float = 0.0, period: float = 0.01
) -> tuple[Fault | None, float]:
    """The first fault while goal and position of pan, both at `begun` [rad], move at these speeds, and when."""
    for now in np.arange(0.0, seconds, period):
        moved = replace(WELL, measured=ZERO + (begun + now), position=np.array([begun + position_speed * now, 0.0]))
        found = own.fault(moved, np.array([begun + goal_speed * now, 0.0]))
        if found is not None:
            return found, now
    return None, seconds


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
def test_a_joint_that_stops_while_its_goal_goes_on_is_stuck_within_a_tenth_of_a_second(speed: float) -> None:
    own, lag, stops = watch(), 0.05, 0.5
    for now in np.arange(0.0, 1.0, 0.01):
        moved = replace(WELL, measured=ZERO + now, position=np.array([speed * max(min(now, stops) - lag, 0.0), 0.0]))
        found = own.fault(moved, np.array([speed * now, 0.0]))
        if found is not None:
            break
    assert found is not None and found.kind is FaultKind.STUCK and "pan" in found.cause
    assert stops < now <= stops + 0.1


def test_an_arm_that_lies_on_something_may_take_longer_to_set_out() -> None:
    found, after = led(watch(), 0.0, 1.0, 1.0)
    assert found is not None and found.kind is FaultKind.STUCK and 0.2 < after <= 0.3


def test_a_joint_that_comes_by_twice_between_rare_readings_has_moved() -> None:
    own = watch()
    assert led(own, 1.0, 1.0, 0.5)[0] is None
    assert led(own, 0.0, 1.0, 0.13, begun=0.5, period=0.04)[0] is None


def test_a_goal_that_leaps_ahead_and_comes_back_is_none_that_a_joint_could_have_followed() -> None:
    own = watch()
    assert led(own, 0.3, 0.3, 0.5)[0] is None
    for cycle in range(100):
        stands = replace(WELL, measured=ZERO + 0.5 + 0.01 * cycle, position=np.array([0.15, 0.0]))
        leap = 0.05 if cycle // 3 % 2 else -0.05
        assert own.fault(stands, np.array([0.15 + leap, 0.0])) is None


def test_a_joint_that_stops_dead_is_stuck_though_its_goal_turns_soon() -> None:
    own, stops = watch(), 0.5
    for now in np.arange(0.0, 1.0, 0.01):
        goal = 0.5 * min(now, stops + 0.04) + 0.02 - 0.5 * max(now - stops - 0.04, 0.0)
        told = replace(WELL, measured=ZERO + now, position=np.array([0.5 * min(now, stops), 0.0]))
        found = own.fault(told, np.array([goal, 0.0]))
        if found is not None:
            break
    assert found is not None and found.kind is FaultKind.STUCK and "pan has not moved" in found.cause
    assert "stopped dead at 0.5 rad/s" in found.cause and stops + 0.04 < now <= stops + 0.07


def test_a_joint_that_friction_brakes_and_holds_while_its_goal_creeps_on_is_not_stuck() -> None:
    own, stops, brakes = watch(), 0.5, 16.0
    for now in np.arange(0.0, stops + 0.075, 0.01):
        position = -brakes / 2 * (stops - min(now, stops)) ** 2
        goal = 0.012 + (0.2 * (now - stops) if now > stops else 1.2 * (now - stops) / 2)
        told = replace(WELL, measured=ZERO + now, position=np.array([position, 0.0]))
        assert own.fault(told, np.array([goal, 0.0])) is None, now


@pytest.mark.parametrize("response", [0.0, 0.005, 0.01, 0.02, 0.05, 0.12])
@pytest.mark.parametrize("kind", ["leaps", "strides"])
def test_a_joint_that_goes_after_its_goal_is_not_stuck_however_soon(response: float, kind: str) -> None:
    rng, own, tick = np.random.default_rng(0), watch(), 2.0 * np.pi / 4096
    begun, ends, position = np.zeros(2), np.zeros(2), np.zeros(2)
    for cycle in range(6000):
        if cycle % 5 == 0:
            way = rng.uniform(-1.0, 1.0, 2) if kind == "leaps" else np.sign(np.sin(0.01 * cycle + np.arange(2)))
            begun, ends = ends, ends + 0.05 * way * (rng.uniform(size=2) < 0.7)
        share = (cycle % 5 + 1) / 5
        goal = begun + (ends - begun) * share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        position = goal if response == 0.0 else position + (goal - position) * -np.expm1(-0.01 / response)
        read = tick * np.round(position / tick)
        assert own.fault(replace(WELL, measured=ZERO + 0.01 * cycle, position=read), goal) is None, cycle


def test_a_joint_that_lags_or_rests_is_not_stuck() -> None:
    assert led(watch(), 0.3, 1.0, 1.0)[0] is None
    assert led(watch(), 0.0, 0.0, 1.0)[0] is None


def test_a_joint_that_turns_round_is_not_stuck() -> None:
    own = watch()
    for now in np.arange(0.0, 0.4, 0.01):
        goal = 0.05 - abs(now - 0.2) if now > 0.15 else now - 0.15
        moved = replace(WELL, measured=ZERO + now, position=np.array([-0.1 * (now - 0.2) ** 2, 0.0]))
        assert own.fault(moved, np.array([0.3 * goal, 0.0])) is None


def test_a_joint_that_grips_may_push_against_what_it_holds() -> None:
    own = Watch((replace(JOINTS[0], grips=True), JOINTS[1]), (12.0, 12.0))
    for now in np.arange(0.0, 0.3, 0.01):
        pressed = replace(WELL, measured=now, heard=now, load=np.array([1.0, 0.0]))
        assert own.fault(pressed, np.array([1.0 * now, 0.0])) is None
    flagged = replace(WELL, measured=0.3, flags=(frozenset({"overload"}), frozenset()))
    own.fault(flagged, ZERO)
    found = own.fault(flagged, ZERO)
    assert found is not None and found.kind is FaultKind.OVERLOAD


def test_motion_before_a_new_beginning_does_not_count() -> None:
    own = watch()
    led(own, 0.0, 1.0, 0.06)
    own.begin()
    assert own.fault(replace(WELL, measured=ZERO + 1.0), np.array([0.5, 0.0])) is None


def test_every_kind_has_a_remedy() -> None:
    for kind in FaultKind:
        message = str(ArmFault(Fault(kind, "cause")))
        assert message.startswith("cause; ") and "\n" not in message
