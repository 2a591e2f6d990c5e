"""The bus loop: orders in, telemetry, faults, goals out, report."""

from __future__ import annotations

import logging
import math

import numpy as np

from hardware.arm.driver import Arm
from hardware.arm.faults import ArmFault, Fault, FaultKind
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.host.channel import HostEnd
from hardware.host.conduct import Conduct
from hardware.host.json_codec import MessageError
from hardware.host.messages import (
    Close,
    Follow,
    Hold,
    HostState,
    Order,
    Release,
    Report,
    Stop,
    TorqueOn,
)
from hardware.host.owner import Owner
from hardware.host.reporter import Reporter

_log = logging.getLogger(__name__)
_STILL = 0.02
"""Joints that are slower rest [rad/s]."""


class Loop:
    """Runs until the arm is safe and the robot process has closed it or has ended.

    Args:
        arm: brought up, torque as it was found.
    """

    def __init__(self, arm: Arm, robot: RobotDescription, end: HostEnd, owner: Owner, clock: Clock) -> None:
        self._arm, self._robot, self._end, self._owner, self._clock = arm, robot, end, owner, clock
        self._conduct = Conduct(robot.dead_man)
        self._accepted = 0
        self._spoke = clock.now()
        self._leave_asked = False
        self._speed = 1.0
        self._reporter = Reporter(arm, robot)

    def leave(self) -> None:
        """Asks for a stop and the end of the loop; may be called by a signal handler."""
        self._leave_asked = True

    def run(self) -> None:
        """Cycles at the robot's rate."""
        try:
            self._tick()
        except BaseException:
            if self._arm.armed:
                self._arm.safe_stop(self._robot.dead_man.end_state)
            raise

    def _tick(self) -> None:
        period, tick = 1.0 / self._robot.bus_hz, self._clock.now()
        while not self._conduct.over:
            self._reporter.lateness.add(self._clock.now() - tick)
            self._cycle()
            # A cycle that took longer than its period is not made up for: the ticks it covered are skipped.
            tick += period * max(1, math.ceil((self._clock.now() - tick) / period))
            self._clock.sleep_until(tick)

    def _cycle(self) -> None:
        self._hear()
        begun = self._clock.now()
        silence, self._spoke = begun - self._spoke, begun
        if not self._conduct.disconnected:
            if silence > self._robot.dead_man.stop_after:
                self._check_watchdogs(silence)
            self._act(self._listen())
        self._reporter.cycles.add(self._clock.now() - begun)
        self._end.report(self._report())

    def _hear(self) -> None:
        if self._leave_asked:
            self._catch()
            self._conduct.leave(self._clock.now())
        if self._owner.gone:
            self._catch()
            self._conduct.owner_gone(self._clock.now())
        try:
            orders = self._end.orders()
        except MessageError as error:
            _log.error("%s", error)
            self._fail(Fault(FaultKind.COMMAND, f"the arm host was told nonsense ({error})"))
            return
        if self._conduct.leaving:
            return  # whoever sent these is gone, or has had the last word
        for index, order in enumerate(orders):
            # Of several waypoints that arrived at once only the newest counts.
            if isinstance(order, Follow) and any(isinstance(later, Follow) for later in orders[index + 1 :]):
                continue
            self._obey(order)

    def _obey(self, order: Order) -> None:
        self._reporter.ages.add(max(self._clock.now() - order.sent, 0.0))
        if isinstance(order, Stop) or (isinstance(order, Close) and order.catch):
            self._catch()
        now, carried_out = self._clock.now(), True
        match order:
            case TorqueOn():
                carried_out = self._torque_on(order.speed)
            case Follow():
                carried_out = self._follow(order)
            case Hold():
                self._conduct.hold(now)
            case Release():
                carried_out = self._release()
            case Stop():
                self._conduct.stop(now)
            case Close():
                self._conduct.leave(now)
        if carried_out:
            self._accepted = order.sequence

    def _follow(self, order: Follow) -> bool:
        try:
            return self._conduct.follow(order, self._clock.now())
        except ValueError as error:
            self._fail(Fault(FaultKind.COMMAND, str(error)))
            return False

    def _torque_on(self, speed: float) -> bool:
        if self._conduct.state not in (HostState.DISARMED, HostState.RELEASED):
            return self._conduct.state is HostState.HOLDING
        self._speed = speed
        try:
            limits = self._arm.torque_on(speed)
        except ArmFault as error:
            self._fail(error.fault)
            return False
        self._conduct.arm(limits, self._arm.goal, self._clock.now())
        return True

    def _release(self) -> bool:
        if self._conduct.state is not HostState.HOLDING:
            return self._conduct.state is HostState.RELEASED
        driven = self._arm.safe_stop("torque_off")
        if driven:
            self._fail(Fault(FaultKind.SERVO, f"the torque of {', '.join(driven)} could not be switched off"))
            return False
        self._conduct.release()
        return True

    def _catch(self) -> None:
        """Takes over from hands that nobody will ask for any more, where the end state is to hold."""
        if self._conduct.state is HostState.RELEASED and self._robot.dead_man.end_state == "hold":
            self._torque_on(self._speed)

    def _check_watchdogs(self, silence: float) -> None:
        try:
            self._arm.drive.require_awake(silence)
        except ArmFault as error:
            self._fail(error.fault)

    def _listen(self) -> bool:
        """Reads the arm; whether every servo was heard."""
        try:
            return self._arm.read()
        except ArmFault as error:
            self._fail(error.fault)
            return False

    def _act(self, heard: bool) -> None:
        """Sends the goal of this cycle, then looks for faults. Where not every servo was `heard`, goals stay."""
        now = self._clock.now()
        goal = self._conduct.goal(now)
        try:
            if heard and goal is not None:
                self._arm.send(goal)
            if heard and self._conduct.fault is None:
                self._arm.watch()
                self._arm.inspect()
        except ArmFault as error:
            self._fail(error.fault)
        if self._conduct.end_state_due(now, still=bool(np.abs(self._arm.telemetry.velocity).max() < _STILL)):
            self._settle()

    def _settle(self) -> None:
        """Into the end state. The stop also finds out who has lost its torque."""
        unsafe = self._arm.safe_stop(self._robot.dead_man.end_state)
        if unsafe and self._robot.dead_man.end_state == "torque_off":
            self._reporter.unsafe = (f"the torque of {', '.join(unsafe)} may still be on: switch the supply off",)
        self._conduct.end_state_reached()
        if self._robot.dead_man.end_state == "hold" and not all(self._arm.drive.on):
            self._conduct.explain(self._arm.drive.reset_fault())

    def _fail(self, fault: Fault) -> None:
        if self._conduct.fault is not None:
            return
        _log.error("fault: %s", fault)
        kept = [joint.grips and joint.name != fault.joint for joint in self._robot.joints]
        given_way = np.where(kept, self._arm.goal, self._arm.telemetry.position)
        self._conduct.fail(fault, given_way, self._clock.now())
        if self._conduct.end_state_due(self._clock.now()):
            # A stop on a broken bus takes a while: what happened is told first.
            self._end.report(self._report())
            self._settle()

    def _report(self) -> Report:
        return self._reporter.report(self._conduct.state, self._conduct.fault, self._accepted, self._clock.now())
