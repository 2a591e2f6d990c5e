"""Messages as JSON, checked against their dataclasses on arrival."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import types
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hardware.host.messages import (
    Begin,
    Close,
    Follow,
    Hold,
    Message,
    Refused,
    Release,
    Report,
    Started,
    Stop,
    TorqueOn,
)

_KINDS: dict[str, type[Message]] = {
    each.__name__.lower(): each
    for each in (Begin, TorqueOn, Follow, Hold, Release, Stop, Close, Report, Started, Refused)
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
    return _single(hint, value, where)


def _single(hint: Any, value: Any, where: str) -> Any:
    fits = type(value) is hint
    if hint is float:
        fits = type(value) in (int, float) and math.isfinite(value)
    elif hint is Path:
        fits = type(value) is str
    elif get_origin(hint) is Literal:
        return _chosen(get_args(hint), value, where)
    elif issubclass(hint, enum.Enum):
        return hint(_chosen([each.value for each in hint], value, where))
    if not fits:
        raise MessageError(f"{where}: {value!r} is not what is expected there")
    return hint(value)


def _chosen(accepted: Any, value: Any, where: str) -> Any:
    if value not in accepted:
        raise MessageError(f"{where}: {value!r} is none of {', '.join(map(str, accepted))}")
    return value
