"""The reach task on an arm behind a serial port."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from hardware.arm.faults import FaultKind
from hardware.arm.limits import with_ranges
from hardware.calibration import load_calibration
from hardware.description import RobotDescription
from hardware.errors import HardwareError
from hardware.host.client import HostClient
from hardware.host.messages import HostState, Report
from hardware.identity import calibration_file, require_same_arm
from hardware.manifest import read_manifest
from hardware.reach_env import ReachEnv
from hardware.supply import lowest_voltages
from porl_robot.command import Command, FloatArray, RobotState
from porl_robot.safety import JointLimits, joint_chain
from porl_robot.scheduling import CONTROL_PRIORITY, Punctual, described, stay_in_memory
from porl_robot.supervision import ArmingCard, Fault

_log = logging.getLogger(__name__)

SPEED_CAP = 0.3
"""Share of its limits that a real arm may use, and that any arm uses between episodes."""

STALE = 0.3
"""Measurements that stay older than this end an episode [s]: the host, which knows why, mostly speaks up before."""

_EXPLAINED = 1.0
"""So long the host may take to find out why nothing was read, the servos fell silent or the supply sagged [s]."""
_DOUBTFUL = (FaultKind.SILENT.value, FaultKind.VOLTAGE.value)

_LATE = 0.01
_ARRIVED = 1e-6
_SETTLED = 0.03
_SETTLING = 1.0


class SerialReach(ReachEnv):
    """The arm at `robot.port`, in real time, through the arm host.

    A real arm has to be armed by an operator and uses at most `SPEED_CAP` of its limits; a virtual arm arms itself.

    Args:
        robot: the arm; its port is opened and its checks are run.
        speed: share of the arm's velocity, acceleration and jerk limits that may be used, in (0, 1].

    Raises:
        UserError: the arm is not what it is taken for, or cannot be reached. Its torque stays as it was.
    """

    real_time = True

    def __init__(self, robot: RobotDescription, speed: float = 1.0) -> None:
        port = require_same_arm(robot)
        virtual, calibration = read_manifest(port) is not None, calibration_file(port)
        self.arming_needed = not virtual
        self._robot, self._speed = robot, speed if virtual else min(speed, SPEED_CAP)
        self._scheduling = Punctual(CONTROL_PRIORITY)
        stay_in_memory(unused_too=False)
        self._host = HostClient(with_ranges(robot), calibration, CONTROL_PRIORITY if self._scheduling.granted else None)
        try:
            reachable = np.array(self._host.started.lower), np.array(self._host.started.upper)
            super().__init__(robot, reachable, self._speed)
            self._calibration = load_calibration(calibration)
        except BaseException:
            self._host.close()
            raise
        slow = min(self._speed, SPEED_CAP) / self._speed
        own = self.limits
        self._between_episodes = joint_chain(
            JointLimits(own.names, *reachable, slow * own.velocity, slow * own.acceleration, slow * own.jerk)
        )
        self._clock = self._host.clock
        self._heard = self._host.report()
        self._died: HardwareError | None = None
        self._leading = False
        self._commanded = self._standing()
        self._due = self._sent = self._clock.now()
        self._warned: set[str] = set()
        self._doubted: float | None = None

    def arming_card(self) -> ArmingCard:
        report, calibration = self._look(), self._calibration
        degrees = zip(self.kinematics.names, np.degrees(report.position), strict=True)
        ends = zip(self.kinematics.names, np.degrees(self.limits.lower), np.degrees(self.limits.upper), strict=True)
        return ArmingCard(
            self._robot.name,
            (
                ("port", f"{self._robot.port} (serial number {calibration.serial})"),
                ("calibration", f"{calibration.date}, {calibration.hash[:12]}"),
                ("pose", ", ".join(f"{name} {angle:.0f}" for name, angle in degrees) + " deg"),
                ("limits", ", ".join(f"{name} {low:.0f} to {high:.0f}" for name, low, high in ends) + " deg"),
                ("speed", f"{100 * self._speed:.0f} % of {self._robot.velocity:g} rad/s"),
                ("supply", lowest_voltages(self._robot, report.voltage)),
                ("host", self._host.started.scheduling),
                ("control", described(self._scheduling.granted, CONTROL_PRIORITY)),
            ),
        )

    def arm(self) -> None:
        self._host.torque_on(self._speed)
        self._commanded = self._standing()

    def robot_state(self) -> RobotState:
        report = self._look()
        return RobotState(
            position=np.array(report.position),
            velocity=np.array(report.velocity),
            commanded=self._commanded if self._leading else self._standing(),
            timestamp=report.measured,
            age=self._host.age(report),
            temperature=np.array(report.temperature),
            voltage=np.array(report.voltage),
        )

    def hold(self) -> None:
        self._leading, self._sent = False, self._clock.now()
        try:
            self._host.hold()
        except HardwareError as error:
            self._died = self._died or error
        # Whoever holds may now learn for minutes, which is no reason to keep the processor from others.
        self._scheduling.hurry(False)

    def close(self) -> None:
        self._leave(catch=True)

    def _move_to(self, pose: FloatArray) -> None:
        if not self.arming_needed and self._look().state is HostState.DISARMED:
            self.arm()
        self._due = self._clock.now()
        while not np.array_equal(self.robot_state().commanded.values, pose):
            self.attend()
            asked = Command.at_rest(self.command_space, pose)
            verdict = self._between_episodes(asked, self.robot_state(), self.dt)
            if verdict.fault is not None:
                raise HardwareError(f"the arm could not be led to the start of the episode: {verdict.fault}")
            self._send(verdict.command)
            self._wait_for_tick()
        self._settle(pose)

    def _send(self, command: Command) -> None:
        self._scheduling.hurry(True)
        self._sent = self._clock.now()
        self._commanded, self._leading = command, True
        try:
            self._host.follow(command, self.dt)
        except HardwareError as error:
            self._died = self._died or error

    def _wait_for_tick(self) -> None:
        # Small delays do not shift the ticks; a period that began late is a whole one all the same.
        begun = self._due if self._sent - self._due < _LATE else self._sent
        self._due = begun + self.dt
        remaining = self._due - self._clock.now()
        if remaining > 0.0:
            self._sleep(self._clock.real(remaining))

    def _now(self) -> float:
        return self._clock.now()

    def _robot_fault(self) -> Fault | None:
        report = self._look_again()
        if self._died is not None:
            return Fault(str(self._died), "look at the arm, then start again")
        if report.fault is not None:
            return Fault(report.fault.cause, report.fault.remedy)
        if report.state in (HostState.STOPPING, HostState.STOPPED):
            silence = self._robot.dead_man.stop_after
            return Fault(f"no command came for {silence:g} s, so the arm stopped", "start again")
        if self._host.age(report) > STALE:
            return Fault(f"the joints were last read {self._host.age(report):.2f} s ago", "start again")
        return None

    def _look_again(self) -> Report:
        """The newest report, once the host has had the time to say what lies behind a silence, be it its own."""
        report = self._look()
        while self._doubtful(report) and self._died is None:
            self._doubted = self._doubted or self._clock.now()
            if self._clock.now() > self._doubted + _EXPLAINED:
                return report
            self._clock.sleep_until(self._clock.now() + 1.0 / self._robot.bus_hz)
            report = self._look()
        self._doubted = None
        return report

    def _doubtful(self, report: Report) -> bool:
        """Whether more may be known soon; after a moment in which the computer stood still, that all is well."""
        if report.fault is not None:
            return report.fault.kind in _DOUBTFUL
        return self._host.age(report) > STALE

    def _settle(self, pose: FloatArray) -> None:
        """Lets the goal arrive at `pose` (n,), and the arm come to rest there."""
        self._wait_until(lambda report: np.allclose(report.commanded, pose, atol=_ARRIVED), 2 * self.dt)
        self.hold()
        self._wait_until(lambda report: np.abs(report.velocity).max() < _SETTLED, _SETTLING)
        self._due = self._clock.now()

    def _wait_until(self, done: Callable[[Report], bool], longest: float) -> None:
        deadline = self._clock.now() + longest
        while not done(self._look()) and self._clock.now() < deadline:
            self.attend()
            self._sleep(self._clock.real(1.0 / self._robot.bus_hz))

    def _look(self) -> Report:
        """The newest report; where the host has died, its last one."""
        try:
            self._heard = self._host.report()
        except HardwareError as error:
            self._died = self._died or error
        self._warn(self._heard)
        return self._heard

    def _warn(self, report: Report) -> None:
        for warning in report.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                _log.warning("%s", warning)

    def _leave(self, catch: bool) -> None:
        """Ends the host; says what it had to say at last, and how its bus was. `catch`: as in `HostClient.close`."""
        self._scheduling.hurry(False)
        if self._host.closed:
            return
        self._host.close(catch)
        report = self._host.last
        self._warn(report)
        bus, cycle = report.statistics.bus, report.statistics.cycle
        _log.info(
            "bus: %d requests, %d repeated, %d without an answer, %d with a wrong checksum, %d answers refused, "
            "%d readings implausible; cycle %.1f ms, 99 %% below %.1f",
            *(bus.requests, bus.retries, bus.timeouts, bus.checksum_errors, bus.rejected),
            *(report.statistics.implausible, cycle.median, cycle.p99),
        )

    def _standing(self) -> Command:
        """Rest at the goal that the servos have."""
        return Command.at_rest(self.command_space, np.array(self._heard.commanded))
