"""The reach task on an arm that a person moves with their hands, while its torque is off."""

from __future__ import annotations

import logging

import numpy as np

from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.pace import PaceFilter
from hardware.reach import MOVED
from hardware.serial_env import SerialReach
from porl_robot.command import Command, FloatArray, RobotState, Verdict
from porl_robot.safety import Chain
from porl_robot.safety.finite import FiniteFilter
from porl_robot.safety.position import PositionFilter
from porl_robot.supervision import ArmingCard, Fault

_log = logging.getLogger(__name__)

GRACE = 3.0
"""How long before the torque of a real arm goes, or the arm moves by itself, this is announced [s]."""


class HandGuidedReach(SerialReach):
    """Takes what hands do for the actions that would have led the arm the same way.

    The arm is led to the start of an episode as ever. Then its torque goes, until the episode ends, the operator pauses
    or stops: then it comes on where the arm stands. After a fault it stays off: the arm is in those hands. The action
    that `step` is given is ignored; what was executed follows from where the hands have brought the arm meanwhile. The
    commanded target goes with them, as fast as actions can lead it and inside the workspace; the filters `pace` and
    `position` count where it could not.

    The arguments are those of `SerialReach`.
    """

    def __init__(self, robot: RobotDescription, speed: float = 1.0) -> None:
        super().__init__(robot, speed)
        names = self.limits.names
        self.safety = Chain((FiniteFilter(names), PositionFilter(self.limits), PaceFilter(names)))
        self._guided = self._in_hand = self._failed = False

    def arming_card(self) -> ArmingCard:
        card = super().arming_card()
        words = f"no torque during episodes: hold the arm when it is announced, {GRACE:g} s before the torque goes"
        return ArmingCard(card.arm, (*card.rows, ("by hand", words)))

    def hold(self) -> None:
        if self._in_hand and not self._failed:
            self._in_hand = False
            try:
                self._host.torque_on(self._speed)
            except HardwareError as error:
                self._died = self._died or error
        super().hold()

    def close(self) -> None:
        self._leave(catch=not self._failed)

    def _report(self, fault: Fault) -> str:
        self._failed = True
        return super()._report(fault)

    def _begin_episode(self, seed: int | None) -> None:
        if self._failed:
            # Reached only where nobody supervises, and somebody has begun anew.
            self._failed = False
            self.hold()
        if self._guided:
            self._announce("the torque is on: let the arm go, it is led to its start")
        self._guided = False
        super()._begin_episode(seed)
        self._guided = True
        self._hand_over()
        self._due = self._clock.now()
        position = np.clip(np.array(self._look().position), self.limits.lower, self.limits.upper)
        self._commanded, self._leading = Command.at_rest(self.command_space, position), self._in_hand

    def _command(self, action: FloatArray) -> Command:
        target = self.robot_state().commanded.values.copy()
        if not self._in_hand:
            self._hand_over()
        self._sent = self._clock.now()
        super()._wait_for_tick()
        target[:MOVED] = self._look().position[:MOVED]
        return Command.at_rest(self.command_space, target)

    def _executed(self, action: FloatArray, verdict: Verdict, before: RobotState) -> FloatArray:
        return self.task.action(before.commanded.values, verdict.command.values)

    def _send(self, command: Command) -> None:
        if not self._guided:
            super()._send(command)
        elif self._in_hand:
            self._commanded, self._leading = command, True

    def _wait_for_tick(self) -> None:
        if not self._guided:  # else the period has passed while the hands moved the arm
            super()._wait_for_tick()

    def _hand_over(self) -> None:
        """Takes the torque away, unless the operator pauses or stops before the hands are there."""
        self._announce("hold the arm: its torque goes off")
        paused = self.supervisor is not None and self.supervisor.paused
        if paused or self._halted() is not None or self._robot_fault() is not None:
            return
        self._in_hand = True
        try:
            self._host.release()
        except HardwareError as error:
            self._died = self._died or error

    def _announce(self, what: str) -> None:
        if self.arming_needed:
            _log.warning("%s in %g s", what, GRACE)
            self._sleep(self._clock.real(GRACE))
