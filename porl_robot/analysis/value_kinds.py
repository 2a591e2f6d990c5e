"""Kinds of values in a `summary.json`: what each is called, and how it becomes plain JSON."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from porl_robot.analysis.statistics import Evaluation


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: what it is called in the docs and how it is checked.

    Attributes:
        name: as the docs print it.
        convert: gives the plain JSON value, or raises TypeError. NaN and infinity become None.
    """

    name: str
    convert: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError
    return int(value)


def _number(value: Any) -> float | None:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError
    number = float(value)
    return number if math.isfinite(number) else None


def _truth(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError
    return bool(value)


def _numbers(value: Any) -> list[float | None]:
    if not isinstance(value, list | tuple | np.ndarray):
        raise TypeError
    return [_number(each) for each in value]


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {_text(name): _integer(count) for name, count in value.items()}


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_text(each) for each in value]


def _integers(value: Any) -> list[int]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_integer(each) for each in value]


def _scalar(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, str):
        return value
    return _integer(value) if isinstance(value, numbers.Integral) else _number(value)


def records(of: type) -> Kind:
    """A list of objects with the fields of the dataclass `of`, each text, a number or null."""
    names = [each.name for each in fields(of)]

    def convert(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list | tuple) or any(not isinstance(each, Mapping) for each in value):
            raise TypeError
        if any(list(each) != names for each in value):
            raise TypeError
        return [{name: _scalar(each[name]) for name in names} for each in value]

    return Kind(f"list of {{{', '.join(names)}}}", convert)


def _curve(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_point(each) for each in value]


def _point(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.keys() != Evaluation.__required_keys__:
        raise TypeError
    success = value["success"]
    return {
        "env_steps": _integer(value["env_steps"]),
        "success": None if success is None else _number(success),
        "episodes": _integer(value["episodes"]),
        "return_mean": _number(value["return_mean"]),
    }


TEXT = Kind("string", _text)
INTEGER = Kind("integer", _integer)
NUMBER = Kind("number", _number)
TRUTH = Kind("true or false", _truth)
NUMBERS = Kind("list of numbers", _numbers)
COUNTS = Kind("object: string to integer", _counts)
TEXTS = Kind("list of strings", _texts)
INTEGERS = Kind("list of integers", _integers)
CURVE = Kind("list of {env_steps, success, episodes, return_mean}", _curve)
