import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.command import Command, CommandSpace, Intervention, RobotState
from porl_robot.safety import Chain, JointLimits, action_chain, joint_chain
from porl_robot.safety.filter import Ruling

LIMITS = JointLimits(("base", "elbow"), [-1, -1], [1, 1], [1, 1], [8, 8], [200, 200])
DT = 0.05


def target(*values, space=CommandSpace.JOINT_TARGET):
    return Command.at_rest(space, np.array(values, dtype=np.float64))


def state(command):
    zeros = np.zeros_like(command.values)
    return RobotState(zeros, zeros, command, 0.0)


class Shift:
    """Adds one to every value and says so."""

    def __init__(self, name):
        self.name = name

    def __call__(self, command, state, dt):
        shifted = Command.at_rest(command.space, command.values + 1.0)
        reason = Intervention(self.name, "shifted", command.values, shifted.values)
        return Ruling(shifted, reason)


class Pass:
    name = "pass"

    def __call__(self, command, state, dt):
        return Ruling(command)


class Break:
    name = "break"

    def __call__(self, command, state, dt):
        raise ZeroDivisionError("no answer")


def test_filters_act_in_order_and_set_their_bits():
    chain = Chain((Shift("first"), Pass(), Shift("third")))
    verdict = chain(target(0.0), state(target(0.0)), DT)
    assert chain.names == ("first", "pass", "third")
    assert verdict.command.values.tolist() == [2.0]
    assert [each.filter for each in verdict.interventions] == ["first", "third"]
    assert verdict.filters == 0b101
    assert verdict.fault is None


def test_a_filter_that_raises_refuses_the_command(caplog):
    before = target(0.25)
    verdict = Chain((Shift("first"), Break(), Shift("third")))(target(5.0), state(before), DT)
    assert verdict.fault == "break: failed with ZeroDivisionError: no answer"
    assert verdict.filters == 0b11
    assert [each.filter for each in verdict.interventions] == ["first", "break"]
    assert verdict.command.values.tolist() == [0.25]
    assert "safety filter 'break' failed" in caplog.text


def test_a_fault_stops_the_chain_and_leaves_a_standstill():
    before = Command(CommandSpace.JOINT_TARGET, np.array([0.1, 0.2]), np.ones(2), np.ones(2))
    verdict = joint_chain(LIMITS)(target(np.nan, 9.0), state(before), DT)
    assert verdict.fault == "finite: values[0] (base) is nan"
    assert verdict.filters == 0b001
    assert verdict.command.values.tolist() == [0.1, 0.2]
    assert verdict.command.velocity.tolist() == [0.0, 0.0]
    (refusal,) = verdict.interventions
    assert refusal.filter == "finite"


def test_a_refused_normalised_command_leaves_zeros():
    before = target(0.7, space=CommandSpace.RAW)
    verdict = action_chain(1)(target(np.inf, space=CommandSpace.RAW), state(before), DT)
    assert verdict.fault == "finite: values[0] (value 0) is inf"
    assert verdict.command.values.tolist() == [0.0]


def test_joint_chain_orders_range_before_rate():
    chain = joint_chain(LIMITS)
    verdict = chain(target(2.0, 0.0), state(target(0.0, 0.0)), DT)
    assert chain.names == ("finite", "position", "rate")
    assert verdict.filters == 0b110
    position, rate = verdict.interventions
    np.testing.assert_array_equal(position.after, [1.0, 0.0])
    assert rate.before is position.after
    assert 0.0 < verdict.command.values[0] < 1.0


def test_action_chain_boxes():
    chain = action_chain(2)
    asked = target(0.5, -3.0, space=CommandSpace.CARTESIAN_DELTA)
    verdict = chain(asked, state(asked), DT)
    assert chain.names == ("finite", "box")
    assert verdict.filters == 0b10
    assert verdict.command.values.tolist() == [0.5, -1.0]


def test_a_harmless_command_is_not_touched():
    asked = target(1e-4, -1e-4)
    verdict = joint_chain(LIMITS)(asked, state(target(0.0, 0.0)), DT)
    assert verdict.filters == 0
    assert verdict.interventions == ()
    assert verdict.command.values is asked.values


@given(st.lists(st.floats(), min_size=2, max_size=2))
def test_whatever_is_asked_only_a_finite_command_in_range_comes_out(values):
    verdict = joint_chain(LIMITS)(target(*values), state(target(0.0, 0.0)), DT)
    assert (np.abs(verdict.command.values) <= 1.0).all()
    assert (verdict.fault is None) == bool(np.isfinite(values).all())


@pytest.mark.parametrize("filters", [(), (Pass(), Pass())])
def test_a_chain_needs_filters_with_unique_names(filters):
    with pytest.raises(ValueError, match="unique names"):
        Chain(filters)
