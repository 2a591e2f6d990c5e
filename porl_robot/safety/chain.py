"""The order in which filters judge a command. `porl_robot.command.SafetyChain` is its face."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from porl_robot.command import Command, CommandSpace, Intervention, RobotState, Verdict
from porl_robot.safety.box import BoxFilter
from porl_robot.safety.filter import Filter
from porl_robot.safety.finite import FiniteFilter
from porl_robot.safety.limits import JointLimits
from porl_robot.safety.position import PositionFilter
from porl_robot.safety.rate import RateFilter

_log = logging.getLogger(__name__)


class Chain:
    """Hands a command from filter to filter and stops at the first fault.

    A filter that raises has refused the command. Whoever sends the command of a refusing verdict
    all the same sends a standstill. Not to be shared between threads.

    Raises:
        ValueError: there is no filter, or two have the same name.
    """

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)
        self._names = tuple(each.name for each in self._filters)
        if not self._names or len(set(self._names)) != len(self._names):
            raise ValueError(f"a chain needs filters with unique names, got {self._names}")

    @property
    def names(self) -> tuple[str, ...]:
        """Filter names in the order of the bits of `Verdict.filters`."""
        return self._names

    def __call__(self, command: Command, state: RobotState, dt: float) -> Verdict:
        """Judges one command; `dt` is the control period [s]. Never raises."""
        interventions: list[Intervention] = []
        bits = 0
        for bit, each in enumerate(self._filters):
            try:
                ruling = each(command, state, dt)
                fault = ruling.fault
            except Exception as error:
                _log.exception("safety filter '%s' failed", each.name)
                fault = f"failed with {type(error).__name__}: {error}"
            if fault is not None:
                held = _standstill(command, state)
                refusal = Intervention(each.name, fault, command.values, held.values)
                bits |= 1 << bit
                return Verdict(held, (*interventions, refusal), bits, f"{each.name}: {fault}")
            command = ruling.command
            if ruling.intervention is not None:
                interventions.append(ruling.intervention)
                bits |= 1 << bit
        return Verdict(command, tuple(interventions), bits)


def joint_chain(limits: JointLimits) -> Chain:
    """The chain for joint targets: finite, position, rate."""
    return Chain((FiniteFilter(limits.names), PositionFilter(limits), RateFilter(limits)))


def action_chain(size: int) -> Chain:
    """The chain for normalised commands of shape (size,): finite, box."""
    return Chain((FiniteFilter(tuple(f"value {i}" for i in range(size))), BoxFilter()))


def _standstill(command: Command, state: RobotState) -> Command:
    if command.space is CommandSpace.JOINT_TARGET:
        return Command.at_rest(command.space, state.commanded.values)
    return Command.at_rest(command.space, np.zeros_like(command.values))
