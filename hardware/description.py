"""What an arm consists of, as its YAML in `configs/robot` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from hardware.servos import SERVOS
from porl_robot.paths import data_dir

Protocol = Literal["feetech", "dynamixel"]
EndState = Literal["hold", "torque_off"]

WATCHDOG_UNIT = 0.02
"""What the watchdog of a Dynamixel servo counts in [s]; it counts to 127."""

_LONGEST_WATCHDOG = 127 * WATCHDOG_UNIT

_FASTEST_BUS = 1000.0
"""No bus reads six servos and leads them more often in a second."""

_CYCLES_TO_HOLD = 2
"""Silence is looked for once a cycle: so many of them have to fit into `hold_after`."""

_Made = TypeVar("_Made", "Gains", "DeadMan", "JointDescription")


@dataclass(frozen=True, slots=True)
class JointDescription:
    """One joint and the servo that moves it.

    Attributes:
        name: as in the model, the calibration and every message.
        id: of the servo on the bus.
        servo: name of its model, as in `hardware.servos`.
        lower, upper: range [rad]; None where the MJCF model gives it.
        continuous: has no stops and turns without end.
        supply: nominal, of its servo [V]; None where it is the robot's.
        grips: closes on things, so that its goal may lie behind what stops it.
    """

    name: str
    id: int
    servo: str
    lower: float | None = None
    upper: float | None = None
    continuous: bool = False
    supply: float | None = None
    grips: bool = False

    def __str__(self) -> str:
        return f"{self.name} (id {self.id})"

    @property
    def limits(self) -> tuple[float, float] | None:
        """Range, lower and upper [rad]; None where only the MJCF model knows it."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Gains:
    """Position gains in the servo's own units."""

    p: int
    i: int
    d: int


@dataclass(frozen=True, slots=True)
class DeadMan:
    """What the arm host does when commands stop coming.

    Attributes:
        hold_after: without a command for so long it holds the pose [s].
        stop_after: without a command for so long it runs the stop profile into `end_state` [s].
        end_state: `hold` keeps the torque on, `torque_off` lets the arm go.
    """

    hold_after: float = 0.1
    stop_after: float = 0.5
    end_state: EndState = "hold"

    def __post_init__(self) -> None:
        for key in ("hold_after", "stop_after"):
            if not _is_number(getattr(self, key)):
                raise ValueError(f"dead_man.{key} {getattr(self, key)!r} is no number")
        if not 0.0 < self.hold_after < self.stop_after:
            raise ValueError(
                f"dead_man: hold_after {self.hold_after} and stop_after {self.stop_after} must be positive and in order"
            )
        if self.end_state not in ("hold", "torque_off"):
            raise ValueError(f"dead_man.end_state {self.end_state!r} is neither 'hold' nor 'torque_off'")


@dataclass(frozen=True, slots=True)
class RobotDescription:
    """An arm on a bus.

    Attributes:
        name: of the kind of arm, as in `robot=NAME`.
        protocol: the servos' wire protocol.
        joints: in the order of every vector of joints.
        model: MJCF file of its twin, or None where there are only servos and limits.
        port: serial device, or None where none was given.
        baud: bits per second on the bus.
        time_scale: arm seconds per wall second; other than 1 on a virtual arm only.
        supply: nominal, of all joints that have none of their own [V].
        gains: the servos' position gains.
        velocity, acceleration, jerk: what a joint may do at most [rad/s], [rad/s^2], [rad/s^3].
        bus_hz: cycles of the bus loop per second.
        dead_man: what happens when commands stop coming.
    """

    name: str
    protocol: Protocol
    joints: tuple[JointDescription, ...]
    model: Path | None
    port: str | None
    baud: int
    time_scale: float
    supply: float
    gains: Gains
    velocity: float
    acceleration: float
    jerk: float
    bus_hz: float
    dead_man: DeadMan

    @property
    def names(self) -> tuple[str, ...]:
        """The joints' names, in order."""
        return tuple(joint.name for joint in self.joints)

    @property
    def supplies(self) -> tuple[float, ...]:
        """Nominal supply of each joint's servo, in order [V]."""
        return tuple(self.supply_of(joint) for joint in self.joints)

    def supply_of(self, joint: JointDescription) -> float:
        """Nominal supply of the servo of one of its joints [V]."""
        return self.supply if joint.supply is None else joint.supply


def robot(
    name: str,
    protocol: str,
    joints: Mapping[str, Mapping[str, Any]],
    gains: Mapping[str, int],
    supply: float,
    velocity: float,
    acceleration: float,
    jerk: float,
    model: str | None = None,
    port: str | None = None,
    baud: int = 1_000_000,
    time_scale: float = 1.0,
    bus_hz: float = 100.0,
    dead_man: Mapping[str, Any] | None = None,
) -> RobotDescription:
    """The arm that a YAML describes. `model`: a file in `configs/robot/models`, or a path to one.

    Raises:
        ValueError: a value is refused, with the key it stands under.
    """
    if protocol not in ("feetech", "dynamixel"):
        raise ValueError(f"robot.protocol {protocol!r} is neither 'feetech' nor 'dynamixel'")
    positive = {"supply": supply, "velocity": velocity, "acceleration": acceleration, "jerk": jerk, "bus_hz": bus_hz}
    for key, value in {**positive, "baud": baud, "time_scale": time_scale}.items():
        if not value > 0:
            raise ValueError(f"robot.{key} {value} must be positive")
    silence = _of(DeadMan, dead_man or {}, "robot.dead_man")
    slowest = _CYCLES_TO_HOLD / silence.hold_after
    if not slowest <= bus_hz <= _FASTEST_BUS:
        raise ValueError(
            f"robot.bus_hz {bus_hz:g} is outside {slowest:g} to {_FASTEST_BUS:g}: the arm is to hold "
            f"{silence.hold_after:g} s after the last command"
        )
    if protocol == "dynamixel" and silence.stop_after > _LONGEST_WATCHDOG:
        raise ValueError(
            f"robot.dead_man.stop_after {silence.stop_after} is longer than the {_LONGEST_WATCHDOG:g} s "
            "that the watchdog of a Dynamixel servo counts to"
        )
    known: Protocol = "feetech" if protocol == "feetech" else "dynamixel"
    return RobotDescription(
        name=name,
        protocol=known,
        joints=_joints(joints, has_model=model is not None),
        model=None if model is None else _model_file(model),
        port=port,
        baud=baud,
        time_scale=time_scale,
        supply=supply,
        gains=_gains(gains, known),
        velocity=velocity,
        acceleration=acceleration,
        jerk=jerk,
        bus_hz=bus_hz,
        dead_man=silence,
    )


def _gains(given: Mapping[str, int], protocol: Protocol) -> Gains:
    gains = _of(Gains, given, "robot.gains")
    family = [servo for servo in SERVOS.values() if servo.protocol == protocol]
    for each in fields(Gains):
        spans = [servo.registers[f"position_{each.name}"].takes for servo in family]
        least, most = max(low for low, _ in spans), min(high for _, high in spans)
        value = getattr(gains, each.name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"robot.gains.{each.name} {value!r} is no whole number in {least}-{most}")
    return gains


def _joints(joints: Mapping[str, Mapping[str, Any]], has_model: bool) -> tuple[JointDescription, ...]:
    if not isinstance(joints, Mapping) or not all(isinstance(each, Mapping) for each in joints.values()):
        raise ValueError("robot.joints: expected the keys of each joint under its name, as in configs/robot")
    made = tuple(_of(JointDescription, {"name": name, **each}, f"robot.joints.{name}") for name, each in joints.items())
    if not made:
        raise ValueError("robot.joints: an arm has at least one joint")
    for joint in made:
        where = f"robot.joints.{joint.name}"
        _require_kinds(joint, where)
        if not isinstance(joint.id, int) or not 0 <= joint.id <= 252:
            raise ValueError(f"{where}.id {joint.id} is no whole number in 0-252")
        if (joint.lower is None) != (joint.upper is None) or (joint.lower is None and not has_model):
            raise ValueError(f"{where}: give lower and upper [rad], or robot.model, which holds the ranges")
        if joint.lower is not None and joint.upper is not None and not joint.lower < joint.upper:
            raise ValueError(f"{where}: lower {joint.lower} is not below upper {joint.upper}")
        if joint.supply is not None and not joint.supply > 0:
            raise ValueError(f"{where}.supply {joint.supply} must be positive")
    ids = [joint.id for joint in made]
    if len(set(ids)) < len(ids):
        raise ValueError(f"robot.joints: ids {ids} are not unique")
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require_kinds(joint: JointDescription, where: str) -> None:
    for key in ("continuous", "grips"):
        if not isinstance(getattr(joint, key), bool):
            raise ValueError(f"{where}.{key} {getattr(joint, key)!r} is neither true nor false")
    for key in ("lower", "upper", "supply"):
        if getattr(joint, key) is not None and not _is_number(getattr(joint, key)):
            raise ValueError(f"{where}.{key} {getattr(joint, key)!r} is no number")


def _model_file(model: str) -> Path:
    own = data_dir("configs") / "robot" / "models" / model
    if own.is_file():
        return own
    if Path(model).is_file():
        return Path(model)
    raise ValueError(f"robot.model {model!r}: no such file, neither in {own.parent} nor at that path")


def _of(kind: type[_Made], given: Mapping[str, Any], where: str) -> _Made:
    known = {each.name for each in fields(kind)}
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise ValueError(f"{where}.{unknown[0]}: no such key; expected {', '.join(sorted(known))}")
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error
