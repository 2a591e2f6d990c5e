"""An arm in radians over a bus of servos: telemetry, goals, torque, and a stop that reaches every servo."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from hardware.arm.bring_up import bring_up
from hardware.arm.drive import Drive
from hardware.arm.envelope import Envelope
from hardware.arm.faults import ArmFault, Fault, FaultKind, fault_of
from hardware.arm.joint import joints_of
from hardware.arm.limits import joint_limits, require_within_model
from hardware.arm.reader import Reader
from hardware.arm.safe_stop import safe_stop
from hardware.arm.telemetry import Telemetry
from hardware.arm.torque import take_back, torque_on, watchdogs_off
from hardware.arm.turns import counted
from hardware.arm.watch import Watch
from hardware.bus import Bus, open_bus
from hardware.calibration import Calibration, load_calibration
from hardware.clock import Clock
from hardware.description import EndState, RobotDescription
from hardware.errors import HardwareError
from hardware.exchange import Statistics
from hardware.patience import patiently
from porl_robot.command import FloatArray
from porl_robot.safety import JointLimits

_log = logging.getLogger(__name__)

_COMING_BACK = 0.5
"""A servo's own profile, which a weak drive has fallen behind, takes so long to come back through a half turn [s]."""


class Arm:
    """One arm whose servos answer and are those that its calibration knows. Not to be shared between threads.

    Nothing is written and the torque stays as it was found until `torque_on`.

    Args:
        bus: open; the arm closes it.

    Attributes:
        goal: what the servos are to reach, shape (n,) [rad]; before `torque_on`, where they are.
        limits: of the goals.
        drive: which joints are driven.
        armed: whether `torque_on` was called: from then on the torque is this object's business.
        warnings: for the operator, of the last cycle.

    Raises:
        HardwareError: the arm is not what it is taken for; the bus is left open.
    """

    def __init__(self, bus: Bus, robot: RobotDescription, calibration: Calibration, clock: Clock) -> None:
        self._bus, self._robot, self._clock = bus, robot, clock
        joints = joints_of(robot, calibration)
        require_within_model(robot, joints)
        self._joints = patiently(lambda: bring_up(bus, robot, joints))
        self.limits = joint_limits(robot, self._joints)
        self.armed = False
        self.warnings: tuple[str, ...] = ()
        self._reader = Reader(bus, self._joints, robot.velocity, clock)
        self._watch = Watch(robot.joints, robot.supplies)
        self.drive = Drive(bus, self._joints)
        self._envelope = Envelope(self.limits)
        self._sent = 0.0
        self.goal = self.telemetry.position.copy()
        self._goal_read = self.goal

    @property
    def telemetry(self) -> Telemetry:
        """The last there is."""
        return self._reader.telemetry

    @property
    def statistics(self) -> Statistics:
        """Of the bus since it was opened."""
        return self._bus.statistics

    @property
    def implausible(self) -> int:
        """Readings that passed the checksum and were refused by the gate."""
        return self._reader.implausible

    def torque_on(self, speed: float) -> JointLimits:
        """Switches the torque on where the arm stands, and returns the limits that goals are kept in.

        Args:
            speed: share of the robot's limits that may be used, in (0, 1].

        Raises:
            ArmFault: a servo did not take it, and what was switched on was switched off again, as far as it answers; or
                one has been reset since the arm was opened.
        """
        self._require_same_turns()
        self.limits = joint_limits(self._robot, self._joints, speed)
        before = tuple(self.drive.on)
        self.armed = True
        try:
            if take_back(self._bus, self._joints):
                self._clock.sleep_until(self._clock.now() + _COMING_BACK)
            goals = torque_on(self._bus, self._joints, self._robot.gains, self._robot.dead_man)
        except BaseException as error:
            if any(before):
                self.drive.restore(before)
            else:
                self.safe_stop("torque_off")
            if isinstance(error, HardwareError):
                raise ArmFault(fault_of(error)) from error
            raise
        self._envelope = Envelope(self.limits)
        self.goal = np.array([joint.radians(goals[joint.id]) for joint in self._joints])
        self._envelope.begin(self.goal)
        self._sent = self._clock.now()
        self.drive.on = [True] * len(self._joints)
        self._watch.begin()
        return self.limits

    def read(self) -> bool:
        """One cycle's telemetry; whether every servo answered. A silent one keeps its last reading for a few cycles.

        Raises:
            ArmFault: a servo has been silent or implausible for longer, or the port is gone.
        """
        self._goal_read = self.goal
        return self._reader.read(driven=any(self.drive.on))

    def watch(self) -> None:
        """Looks for trouble in the telemetry, once per complete cycle.

        Raises:
            ArmFault: where a torque is on, what the servos tell of: load, heat, supply, a stuck encoder.
        """
        self.warnings = self._watch.warnings(self.telemetry)
        if any(self.drive.on):
            # A goal that was sent after the reading is none that its joint could have followed.
            fault = self._watch.fault(self.telemetry, self._goal_read)
            if fault is not None:
                raise ArmFault(fault)

    def inspect(self) -> None:
        """Asks a servo whether its torque is still as it was left: one a call, first those that have been silent.

        Raises:
            ArmFault: a servo has lost it.
        """
        self.drive.inspect(self._reader.recovered)

    def send(self, goal: FloatArray) -> None:
        """Hands `goal`, shape (n,) [rad], to the servos, within the range and the speed, whatever is asked.

        Raises:
            ArmFault: it holds a value that is not finite, or the port is gone.
        """
        now = self._clock.now()
        try:
            allowed = self._envelope.allowed(goal, now - self._sent)
        except ValueError as error:
            raise ArmFault(Fault(FaultKind.COMMAND, str(error))) from error
        self._sent, self.goal = now, allowed
        try:
            self._bus.sync_write("goal_position", self._ticks())
        except HardwareError as error:
            raise ArmFault(fault_of(error)) from error

    def safe_stop(self, end_state: EndState) -> dict[str, str]:
        """Brings every servo into `end_state`, holding the last goal. Tries all of them and never raises.

        Returns:
            What could not be confirmed, by joint.
        """
        if end_state == "hold" and not any(self.drive.on):
            return {}
        unsafe = safe_stop(self._bus, self._joints, end_state, self._ticks())
        for reason in dict.fromkeys(unsafe.values()):
            names = ", ".join(name for name in unsafe if unsafe[name] == reason)
            _log.error("%s could not be brought into the end state %s: %s", names, end_state, reason)
        for index, joint in enumerate(self._joints):
            if end_state == "torque_off" and joint.name not in unsafe:
                self.drive.on[index] = False
                continue
            self.drive.ask(index)
        return unsafe

    def close(self) -> None:
        """Gives the port back; the servos stay as they are. Never raises."""
        try:
            watchdogs_off(self._bus, self._joints)
        except HardwareError as error:
            _log.warning("the servos' watchdogs stay on: %s", error)
        self._bus.close()

    def _require_same_turns(self) -> None:
        """A servo that was switched off and on meanwhile may count a turn more or less: nothing leads it from there."""
        try:
            now = patiently(lambda: counted(self._bus, self._joints))
        except HardwareError as error:
            raise ArmFault(fault_of(error)) from error
        reset = [joint.name for joint, known in zip(now, self._joints, strict=True) if joint.turns != known.turns]
        if reset:
            raise ArmFault(Fault(FaultKind.BROWN_OUT, f"{', '.join(reset)} counts another turn: the servo was reset"))

    def _ticks(self) -> dict[int, int]:
        return {joint.id: joint.ticks(goal) for joint, goal in zip(self._joints, self.goal.tolist(), strict=True)}


def open_arm(robot: RobotDescription, calibration: Path, clock: Clock) -> Arm:
    """The arm at `robot.port`, every check passed, torque as it was found. `calibration`: its file.

    Raises:
        HardwareError: the first thing that is not as it should be, and what helps.
    """
    bus = open_bus(robot, clock)
    try:
        return Arm(bus, robot, load_calibration(calibration), clock)
    except BaseException:
        bus.close()
        raise
