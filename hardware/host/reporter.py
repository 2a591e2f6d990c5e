"""What the host tells of the arm, of the bus and of its own punctuality."""

from __future__ import annotations

from hardware.arm.driver import Arm
from hardware.arm.faults import Fault
from hardware.description import RobotDescription
from hardware.host.messages import BusCounts, FaultReport, HostState, HostStatistics, Report
from hardware.host.spread import Samples, spread

_STATISTICS_EVERY = 0.5
"""Percentiles are taken anew after so long [s]."""


class Reporter:
    """Makes the report of each cycle.

    Attributes:
        lateness: of the cycles [s].
        cycles: how long they took [s].
        ages: of the orders when they were obeyed [s].
        unsafe: for the operator, what could not be switched off.
    """

    def __init__(self, arm: Arm, robot: RobotDescription) -> None:
        self._arm, self._robot = arm, robot
        self.lateness, self.cycles, self.ages = Samples(), Samples(), Samples()
        self.unsafe: tuple[str, ...] = ()
        self._slow: tuple[str, ...] = ()
        self._statistics, self._statistics_due = self._count(), 0.0

    def report(self, state: HostState, fault: Fault | None, accepted: int, now: float) -> Report:
        """Of this cycle, at `now` [s]; `accepted` is the number of the last order that was carried out."""
        if now >= self._statistics_due:
            self._statistics, self._statistics_due = self._count(), now + _STATISTICS_EVERY
            self._slow = self._slowness()
        telemetry = self._arm.telemetry
        return Report(
            state=state,
            accepted=accepted,
            measured=float(telemetry.measured.min()),
            position=tuple(telemetry.position.tolist()),
            velocity=tuple(telemetry.velocity.tolist()),
            commanded=tuple(self._arm.goal.tolist()),
            load=tuple(telemetry.load.tolist()),
            voltage=tuple(telemetry.voltage.tolist()),
            temperature=tuple(telemetry.temperature.tolist()),
            current=tuple(telemetry.current.tolist()),
            torque=tuple(self._arm.drive.on),
            fault=None if fault is None else FaultReport(fault.kind.value, fault.cause, fault.remedy),
            warnings=(*self._arm.warnings, *self._slow, *self.unsafe),
            statistics=self._statistics,
        )

    def _slowness(self) -> tuple[str, ...]:
        rate = self._robot.bus_hz
        if self._statistics.cycle.median <= 1e3 / rate:
            return ()
        if self._robot.time_scale != 1.0:
            return (f"this computer is too slow for robot.time_scale={self._robot.time_scale:g}: cycles come late",)
        return (f"a bus cycle takes longer than robot.bus_hz={rate:g} allows: see latency in docs/hardware.md",)

    def _count(self) -> HostStatistics:
        bus = self._arm.statistics
        return HostStatistics(
            round_trip=spread(list(bus.round_trips), bus.requests),
            cycle=self.cycles.spread(),
            lateness=self.lateness.spread(),
            command_age=self.ages.spread(),
            bus=BusCounts(bus.requests, bus.retries, bus.checksum_errors, bus.timeouts, bus.rejected),
            implausible=self._arm.implausible,
        )
