"""Where hands are faster than actions, the target is left behind them, and that is told."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.pace import PaceFilter
from hardware.reach import INCREMENT
from porl_robot.command import Command, CommandSpace, RobotState

DT = 0.05
FILTER = PaceFilter(("pan", "lift"))


def at(*values: float) -> Command:
    return Command.at_rest(CommandSpace.JOINT_TARGET, np.array(values))


def state(*commanded: float) -> RobotState:
    return RobotState(np.zeros(2), np.zeros(2), at(*commanded), 0.0)


@pytest.mark.parametrize("step", [0.0, 0.02, -INCREMENT, INCREMENT])
def test_what_an_action_can_ask_for_passes(step: float) -> None:
    asked = at(0.5 + step, -0.5 - step)
    ruling = FILTER(asked, state(0.5, -0.5), DT)
    assert ruling.command is asked and ruling.intervention is None and ruling.fault is None


def test_each_joint_is_held_back_by_itself() -> None:
    ruling = FILTER(at(0.9, -0.52), state(0.5, -0.5), DT)
    assert ruling.command.values == pytest.approx([0.5 + INCREMENT, -0.52])
    assert ruling.intervention is not None and ruling.intervention.filter == "pace"
    assert ruling.intervention.reason == "pan: moved faster than 1 rad/s"
    assert ruling.intervention.before == pytest.approx([0.9, -0.52])
