"""What may go wrong on a virtual arm, and when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from hardware.errors import HardwareError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault; `docs/virtual_arm.md` says what each does.

    Attributes:
        knob: name of the number it takes, or None.
        default: of that number.
        lasts: seconds of arm time it goes on unless told otherwise.
        needs: how many ids it has to name; 0 where none means all.
    """

    knob: str | None = None
    default: float = 0.0
    lasts: float = math.inf
    needs: int = 0


REPLY: Mapping[str, Kind] = {
    "drop": Kind(),
    "late": Kind("by", 0.05),
    "flip": Kind("bits", 1),
    "truncate": Kind(),
    "double": Kind(),
    "split": Kind("gap", 0.0005),
    "noise": Kind("bytes", 4),
    "chatter": Kind("bytes", 4),
}
"""Faults of single replies."""

LINE: Mapping[str, Kind] = {
    "echo": Kind(),
    "latency": Kind("by", 0.016),
    "unplug": Kind(lasts=1.0),
}
"""Faults of the adapter."""

SERVO: Mapping[str, Kind] = {
    "dead": Kind(needs=1),
    "duplicate": Kind(needs=2),
    "stuck": Kind(needs=1),
    "overload": Kind("load", 1.0, needs=1),
    "overheat": Kind("to", 80.0, needs=1),
    "brownout": Kind("volts", 2.0, lasts=0.05),
    "hand": Kind("to", 0.0, lasts=1.0, needs=1),
}
"""Faults of the arm, and the hand that moves it."""

KINDS: Mapping[str, Kind] = {**REPLY, **LINE, **SERVO}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: key of `KINDS`.
        start, end: when it is active [s of arm time]; `start` <= time < `end`.
        probability: that it befalls one reply.
        ids: of the servos it befalls; empty for all.
        value: of the kind's knob.
    """

    kind: str
    start: float
    end: float
    probability: float
    ids: tuple[int, ...]
    value: float

    def befalls(self, servo: int) -> bool:
        """Whether the servo with this id is meant."""
        return not self.ids or servo in self.ids


def parse_faults(text: str, now: float = 0.0) -> list[Fault]:
    """Faults from `KIND [key=value ...]; KIND ...`, or from the YAML file of that name: a list of mappings
    `{fault: KIND, key: value, ...}`.

    Keys: at (when it begins, counted from `now` [s]), for (how long [s]), p (probability), ids (as 1,3), and the
    kind's own knob.

    Raises:
        HardwareError: names the fault that cannot be used, and what would be.
    """
    if text.endswith((".yaml", ".yml")):
        return [_fault(each, now) for each in _load(Path(text))]
    return [_fault(_words(line), now) for line in text.split(";") if line.strip()]


def _words(line: str) -> Mapping[str, Any]:
    kind, *rest = line.split()
    pairs = [word.partition("=") for word in rest]
    for key, equals, value in pairs:
        if not key or not equals or not value:
            raise HardwareError(f"faults={line.strip()}: expected KIND key=value ..., separated by semicolons")
    return {"fault": kind, **{key: value for key, _, value in pairs}}


def _load(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise HardwareError(f"faults={path}: cannot be read ({str(error).splitlines()[0]})") from error
    if not isinstance(content, list) or not all(isinstance(each, dict) and "fault" in each for each in content):
        raise HardwareError(f"faults={path}: expected a list of mappings such as {{fault: drop, p: 0.1}}")
    return [{str(key): value for key, value in each.items()} for each in content]


def _fault(given: Mapping[str, Any], now: float) -> Fault:
    name = str(given["fault"])
    if name not in KINDS:
        raise HardwareError(f"faults: {name}: no such fault; there are {', '.join(KINDS)}")
    kind = KINDS[name]
    known = ["at", "for", "p", "ids", *([kind.knob] if kind.knob else [])]
    unknown = [key for key in given if key not in (*known, "fault")]
    if unknown:
        raise HardwareError(f"faults: {name} {unknown[0]}=...: no such key; expected {', '.join(known)}")
    ids = _ids(name, given.get("ids", ()))
    if len(ids) < kind.needs:
        raise HardwareError(f"faults: {name}: expected ids={','.join('12'[: kind.needs])}, as many as are meant")
    start = now + _number(name, given, "at", 0.0)
    probability = _number(name, given, "p", 1.0)
    if probability > 1.0:
        raise HardwareError(f"faults: {name} p={probability}: expected a probability, 0 to 1")
    return Fault(
        kind=name,
        start=start,
        end=start + _number(name, given, "for", kind.lasts),
        probability=probability,
        ids=ids,
        value=_number(name, given, kind.knob or "", kind.default, least=-math.inf if name == "hand" else 0.0),
    )


def _number(name: str, given: Mapping[str, Any], key: str, default: float, least: float = 0.0) -> float:
    try:
        value = float(given.get(key, default))
    except (TypeError, ValueError):
        value = math.nan
    if not value >= least:
        raise HardwareError(f"faults: {name} {key}={given[key]}: expected a number" + (" >= 0" if least == 0 else ""))
    return value


def _ids(name: str, given: Any) -> tuple[int, ...]:
    listed: Iterable[Any] = str(given).split(",") if isinstance(given, str | int) else given
    try:
        return tuple(int(each) for each in listed)
    except (TypeError, ValueError):
        raise HardwareError(f"faults: {name} ids={given}: expected ids such as 1,3") from None
