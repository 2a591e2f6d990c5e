"""The goal moves from command to command inside the limits, and stops by itself."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.host.motion import GoalMotion, Waypoint
from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.safety import JointLimits, joint_chain

NAMES = ("pan", "lift")
TICK = 0.01


def limits(velocity: float = 3.0, acceleration: float = 60.0, jerk: float = 3000.0) -> JointLimits:
    ones = np.ones(2)
    return JointLimits(NAMES, -2 * ones, 2 * ones, velocity * ones, acceleration * ones, jerk * ones)


def motion() -> GoalMotion:
    return GoalMotion(limits(), np.zeros(2), 0.0)


def test_it_stands_where_it_was_put() -> None:
    goal = motion()
    assert goal.at_rest(0.0) and goal.at(5.0).position.tolist() == [0.0, 0.0]
    goal.rest(np.array([0.3, -0.1]), 6.0)
    assert goal.at(6.0).position.tolist() == [0.3, -0.1]


def test_it_is_there_in_time_moving_as_the_command_says() -> None:
    goal = motion()
    goal.follow(Waypoint(np.array([0.02, -0.02]), np.array([0.6, -0.6]), np.zeros(2)), 0.05, 1.0)
    reached = goal.at(1.05)
    assert reached.position == pytest.approx([0.02, -0.02], abs=1e-9)
    assert reached.velocity == pytest.approx([0.6, -0.6], abs=1e-9)


def test_without_a_next_command_it_comes_to_rest_near_the_waypoint() -> None:
    goal = motion()
    goal.follow(Waypoint(np.array([0.03, 0.0]), np.array([1.0, 0.0]), np.zeros(2)), 0.05, 0.0)
    assert not goal.at_rest(0.05)
    end = goal.at(1.0)
    assert goal.at_rest(1.0) and end.velocity == pytest.approx([0.0, 0.0])
    assert 0.03 < end.position[0] < 0.06


def test_a_far_waypoint_takes_as_long_as_the_limits_ask() -> None:
    goal = motion()
    goal.follow(Waypoint.at_rest(np.array([1.0, 0.0])), 0.05, 0.0)
    positions = np.array([goal.at(k * TICK).position for k in range(60)])
    velocity = np.diff(positions, axis=0) / TICK
    acceleration = np.diff(velocity, axis=0) / TICK
    assert positions[-1] == pytest.approx([1.0, 0.0])
    assert np.abs(velocity).max() <= 3.0 * 1.03
    assert np.abs(acceleration).max() <= 60.0 * 1.03


def test_braking_ends_the_motion_within_a_tenth_of_a_second() -> None:
    goal = motion()
    goal.follow(Waypoint.at_rest(np.array([1.5, -1.5])), 0.05, 0.0)
    assert abs(goal.at(0.2).velocity[0]) == pytest.approx(3.0, rel=0.05)
    goal.brake(0.2)
    goal.brake(0.23)
    assert goal.at_rest(0.3)
    assert goal.at(0.3).velocity == pytest.approx([0.0, 0.0])


def test_a_chained_policy_motion_is_followed_exactly() -> None:
    """What the safety chain lets pass in a period is a motion that the host can make in that period."""
    own, dt, rng = limits(), 0.05, np.random.default_rng(3)
    chain, goal = joint_chain(own), motion()
    command = Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(2))
    for k in range(200):
        state = RobotState(command.values, np.zeros(2), command, k * dt)
        asked = Command.at_rest(CommandSpace.JOINT_TARGET, command.values + rng.uniform(-0.2, 0.2, 2))
        command = chain(asked, state, dt).command
        goal.follow(Waypoint(command.values, command.velocity, command.acceleration), dt, k * dt)
        assert goal.at((k + 1) * dt - 1e-9).position == pytest.approx(command.values, abs=1e-6)


def test_commands_that_come_unevenly_do_not_break_the_limits() -> None:
    goal, rng, now = motion(), np.random.default_rng(0), 0.0
    positions = []
    for k in range(600):
        if k % 5 == 0 and rng.random() < 0.8:
            target = rng.uniform(-1.0, 1.0, 2)
            goal.follow(Waypoint(target, rng.uniform(-3.0, 3.0, 2), np.zeros(2)), 0.05, now)
        now += TICK
        positions.append(goal.at(now).position)
    velocity = np.diff(positions, axis=0) / TICK
    acceleration = np.diff(velocity, axis=0) / TICK
    assert np.abs(velocity).max() <= 3.0 * 1.03
    assert np.abs(acceleration).max() <= 60.0 * 1.03
