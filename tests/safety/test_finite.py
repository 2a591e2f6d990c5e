import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.safety.finite import FiniteFilter

REST = Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(2))
STATE = RobotState(np.zeros(2), np.zeros(2), REST, 0.0)
JUDGE = FiniteFilter(("base", "elbow"))


@given(st.lists(st.floats(), min_size=2, max_size=2))
def test_refuses_exactly_what_is_not_finite_and_changes_nothing(values):
    command = Command.at_rest(CommandSpace.JOINT_TARGET, np.array(values))
    ruling = JUDGE(command, STATE, 0.05)
    assert ruling.command is command
    assert ruling.intervention is None
    assert (ruling.fault is None) == bool(np.isfinite(values).all())


def test_the_reason_names_the_place():
    ruling = JUDGE(Command.at_rest(CommandSpace.RAW, np.array([0.0, np.nan])), STATE, 0.05)
    assert ruling.fault == "values[1] (elbow) is nan"


@pytest.mark.parametrize("part", ["velocity", "acceleration"])
def test_derivatives_count_too(part):
    parts = {"values": np.zeros(2), "velocity": np.zeros(2), "acceleration": np.zeros(2)}
    parts[part] = np.array([-np.inf, 0.0])
    ruling = JUDGE(Command(CommandSpace.JOINT_TARGET, **parts), STATE, 0.05)
    assert ruling.fault == f"{part}[0] (base) is -inf"


def test_wrong_shape_is_refused():
    ruling = JUDGE(Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(3)), STATE, 0.05)
    assert ruling.fault == "values have shape (3,), expected (2,)"
