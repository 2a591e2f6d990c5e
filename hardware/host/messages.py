"""What is said between a robot process and the arm host."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from hardware.description import RobotDescription
from hardware.host.spread import Spread

Numbers = tuple[float, ...]


class HostState(enum.Enum):
    """What the host does.

    DISARMED: it reads, the torque is off. HOLDING: torque on, standing still by order. FOLLOWING: moving on commands.
    LAPSED: commands stopped coming, the goal is held until they come again. STOPPING: coming to rest for the end
    state. STOPPED: the end state is reached. FAULT: the same, because of a fault. The last three are not left: it
    takes a new host, and somebody who starts it. RELEASED: it reads, the torque was taken away by order, and the arm is
    in somebody's hands.
    """

    DISARMED = "disarmed"
    HOLDING = "holding"
    FOLLOWING = "following"
    LAPSED = "lapsed"
    RELEASED = "released"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Begin:
    """First word to a host, on its standard input.

    Attributes:
        robot: with the port to open.
        calibration: file of this arm.
        owner: pid of the robot process; when it has ended, the host stops the arm and ends.
    """

    robot: RobotDescription
    calibration: Path
    owner: int


@dataclass(frozen=True, slots=True)
class TorqueOn:
    """The operator's word: torque on, goals where the joints are. `speed`: share of the limits in (0, 1]."""

    sequence: int
    sent: float
    speed: float


@dataclass(frozen=True, slots=True)
class Follow:
    """Be at `position` [rad] with `velocity` [rad/s] and `acceleration` [rad/s^2] in `duration` [s]."""

    sequence: int
    sent: float
    position: Numbers
    velocity: Numbers
    acceleration: Numbers
    duration: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Come to rest and stand still; no further commands are expected."""

    sequence: int
    sent: float


@dataclass(frozen=True, slots=True)
class Release:
    """Torque off, for hands that are there, until `TorqueOn`. Taken while holding."""

    sequence: int
    sent: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Come to rest, run into the configured end state and stay there."""

    sequence: int
    sent: float


@dataclass(frozen=True, slots=True)
class Close:
    """Stop, then end. `catch`: with the torque on again, where it was taken away and the end state is to hold."""

    sequence: int
    sent: float
    catch: bool


Order = TorqueOn | Follow | Hold | Release | Stop | Close


@dataclass(frozen=True, slots=True)
class FaultReport:
    """Why the host stopped: kind of `hardware.arm.faults.FaultKind`, the cause, and what clears it."""

    kind: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class BusCounts:
    """Of all transactions since the port was opened, as in `hardware.exchange.Statistics`."""

    requests: int
    retries: int
    checksum_errors: int
    timeouts: int
    rejected: int


@dataclass(frozen=True, slots=True)
class HostStatistics:
    """How the host and its bus are doing. Spreads: milliseconds of arm time.

    Attributes:
        round_trip: of transactions, from a request to the last of its replies.
        cycle: telemetry read, one servo inspected, goals written.
        lateness: of the bus loop's ticks.
        command_age: of commands when they took effect.
        implausible: readings that passed the checksum and were refused by the gate.
    """

    round_trip: Spread
    cycle: Spread
    lateness: Spread
    command_age: Spread
    bus: BusCounts
    implausible: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the host says every cycle. Arrays by joint, in the robot's order.

    Attributes:
        accepted: sequence number of the last order that was carried out.
        measured: when the joints were read [s], arm time.
        commanded: goal that the servos have [rad].
        load: share of the full duty, signed; zero where the servo does not measure it.
        current: [A]; zero where the servo does not measure it.
        torque: whether each servo's torque is believed on.
        warnings: for the operator; empty where all is well.
    """

    state: HostState
    accepted: int
    measured: float
    position: Numbers
    velocity: Numbers
    commanded: Numbers
    load: Numbers
    voltage: Numbers
    temperature: Numbers
    current: Numbers
    torque: tuple[bool, ...]
    fault: FaultReport | None
    warnings: tuple[str, ...]
    statistics: HostStatistics


@dataclass(frozen=True, slots=True)
class Started:
    """First word of a host whose arm passed every check. Torque is off.

    Attributes:
        scheduling: under which the bus loop runs.
        measured: pose of the arm [rad].
        lower, upper: range that goals are kept in [rad].
    """

    scheduling: str
    measured: Numbers
    lower: Numbers
    upper: Numbers


@dataclass(frozen=True, slots=True)
class Refused:
    """First and last word of a host whose arm did not pass. `reason`: one line for the operator."""

    reason: str


Message = Begin | Order | Report | Started | Refused
