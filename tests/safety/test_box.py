import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.safety.box import BoxFilter

REST = Command.at_rest(CommandSpace.RAW, np.zeros(2))
STATE = RobotState(np.zeros(2), np.zeros(2), REST, 0.0)
JUDGE = BoxFilter()


@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    st.sampled_from([CommandSpace.RAW, CommandSpace.CARTESIAN_DELTA]),
)
def test_result_is_in_the_box_and_nothing_else_moves(values, space):
    command = Command.at_rest(space, np.array(values))
    ruling = JUDGE(command, STATE, 0.05)
    np.testing.assert_array_equal(ruling.command.values, np.clip(values, -1, 1))
    assert ruling.command.space is space
    assert ruling.fault is None
    if np.abs(values).max() <= 1.0:
        assert ruling.command is command


def test_reason_names_index_and_value():
    ruling = JUDGE(Command.at_rest(CommandSpace.RAW, np.array([0.0, -1.25])), STATE, 0.05)
    assert ruling.intervention.reason == "value 1: asked for -1.2500, limit 1"


@pytest.mark.parametrize("value", [np.float32(1.0000001), 1.0 + 1e-9])
def test_rounding_is_clipped_silently(value):
    ruling = JUDGE(Command.at_rest(CommandSpace.RAW, np.array([value])), STATE, 0.05)
    assert ruling.intervention is None
    assert ruling.command.values[0] == 1.0


def test_joint_targets_are_refused():
    command = Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(2))
    assert JUDGE(command, STATE, 0.05).fault == "expected a normalised command, got joint targets"
