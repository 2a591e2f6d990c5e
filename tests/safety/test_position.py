import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.command import Command, CommandSpace, RobotState
from porl_robot.safety import JointLimits
from porl_robot.safety.position import PositionFilter

LIMITS = JointLimits(("base", "elbow"), [-1.0, -2.0], [1.0, 0.5], [1, 1], [1, 1], [1, 1])
REST = Command.at_rest(CommandSpace.JOINT_TARGET, np.zeros(2))
STATE = RobotState(np.zeros(2), np.zeros(2), REST, 0.0)
JUDGE = PositionFilter(LIMITS)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=2))
def test_result_is_the_nearest_allowed_target(values):
    command = Command.at_rest(CommandSpace.JOINT_TARGET, np.array(values))
    ruling = JUDGE(command, STATE, 0.05)
    allowed = ruling.command.values
    assert (allowed >= LIMITS.lower).all()
    assert (allowed <= LIMITS.upper).all()
    inside = (command.values >= LIMITS.lower) & (command.values <= LIMITS.upper)
    np.testing.assert_array_equal(allowed[inside], command.values[inside])
    assert (ruling.command is command) == inside.all()
    assert JUDGE(ruling.command, STATE, 0.05).command is ruling.command


def test_reason_names_joint_value_and_limit():
    asked = Command.at_rest(CommandSpace.JOINT_TARGET, np.array([-1.5, 0.75]))
    intervention = JUDGE(asked, STATE, 0.05).intervention
    assert intervention.filter == "position"
    assert intervention.reason == (
        "base: asked for -1.5000, lower limit -1.0000; elbow: asked for 0.7500, upper limit 0.5000"
    )
    assert intervention.before is asked.values
    assert intervention.after.tolist() == [-1.0, 0.5]


def test_a_clipped_joint_stops_at_its_limit():
    asked = Command(CommandSpace.JOINT_TARGET, np.array([0.0, 9.0]), np.array([0.1, 0.2]), np.array([3.0, 4.0]))
    allowed = JUDGE(asked, STATE, 0.05).command
    assert allowed.velocity.tolist() == [0.1, 0.0]
    assert allowed.acceleration.tolist() == [3.0, 0.0]


def test_rounding_is_clipped_silently():
    asked = Command.at_rest(CommandSpace.JOINT_TARGET, np.array([1.0 + 1e-7, 0.0]))
    ruling = JUDGE(asked, STATE, 0.05)
    assert ruling.intervention is None
    assert ruling.command.values[0] == 1.0


def test_other_command_spaces_are_refused():
    ruling = JUDGE(Command.at_rest(CommandSpace.RAW, np.zeros(2)), STATE, 0.05)
    assert ruling.fault == "expected joint targets, got raw"
