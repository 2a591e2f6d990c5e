"""What is said between a robot process and the arm host: JSON, checked against dataclasses on arrival."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import types
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hardware.description import RobotDescription
from hardware.host.spread import Spread

Numbers = tuple[float, ...]


class HostState(enum.Enum):
    """What the host does.

    DISARMED: it reads, the torque is off. HOLDING: torque on, standing still by order. FOLLOWING: moving on commands.
    LAPSED: commands stopped coming, the goal is held until they come again. STOPPING: coming to rest for the end
    state. STOPPED: the end state is reached. FAULT: the same, because of a fault. The last three are not left: it
    takes a new host, and somebody who starts it.
    """

    DISARMED = "disarmed"
    HOLDING = "holding"
    FOLLOWING = "following"
    LAPSED = "lapsed"
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
class Stop:
    """Come to rest, run into the configured end state and stay there."""

    sequence: int
    sent: float


@dataclass(frozen=True, slots=True)
class Close:
    """Stop, then end."""

    sequence: int
    sent: float


Order = TorqueOn | Follow | Hold | Stop | Close


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
        implausible: positions that passed the checksum and were refused by the plausibility gate.
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
_KINDS: dict[str, type[Message]] = {
    each.__name__.lower(): each for each in (Begin, TorqueOn, Follow, Hold, Stop, Close, Report, Started, Refused)
}


class MessageError(ValueError):
    """What arrived is not one of our messages."""


def encode(message: Message) -> bytes:
    """`message` as JSON.

    Raises:
        ValueError: a number in it is not finite.
    """
    content = {"kind": type(message).__name__.lower(), **_plain(message)}
    return json.dumps(content, allow_nan=False, default=_plain).encode()


def decode(data: bytes) -> Message:
    """The message in `data`.

    Raises:
        MessageError: it is none; says what is wrong with it.
    """
    try:
        content = json.loads(data)
    except ValueError as error:
        raise MessageError(f"no JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") not in _KINDS:
        raise MessageError(f"no message of ours: {data[:60]!r}")
    message: Message = _record(_KINDS[content.pop("kind")], content, "message")
    return message


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return {name: getattr(value, name) for name in value.__slots__}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _record(kind: Any, content: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(content, dict) or set(content) != set(hints):
        raise MessageError(f"{where}: expected the keys {', '.join(hints)}")
    return kind(**{name: _value(hints[name], value, name) for name, value in content.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise MessageError(f"{where}: expected a list")
        return tuple(_value(arguments[0], each, where) for each in value)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(arguments[0], value, where)
    if dataclasses.is_dataclass(hint):
        return _record(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise MessageError(f"{where}: {error}") from error
    if hint is Path and type(value) is str:
        return Path(value)
    if origin is Literal and value in arguments:
        return value
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise MessageError(f"{where}: {value!r} is not what is expected there")
