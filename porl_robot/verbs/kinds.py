"""Whether values are of the kinds that the code they are meant for is annotated with."""

from __future__ import annotations

import importlib
import inspect
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from porl_robot.errors import UsageError

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    types.NoneType: "null",
}


def require_kinds(node: dict[str, Any], where: str) -> None:
    """Holds every value below a config node with `_target_` against the annotations of its target.

    Raises:
        UsageError: names the key, the value, and what would be accepted.
    """
    module, _, name = str(node["_target_"]).rpartition(".")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UsageError(f"{where}._target_={node['_target_']}: expected a name that can be imported") from error
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for key, value in node.items():
        name = f"{where}.{key}"
        if isinstance(value, dict) and "_target_" in value:
            require_kinds(value, name)
        elif key in hints and not fits(value, hints[key]):
            raise UsageError(f"{name}={shown(value)}: expected {described(hints[key])}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value may stand where `hint` is annotated. Classes of our own need a node of a config."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin in (tuple, list):
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(fits(each, arguments[1]) for each in value.values())
    if hint in (int, float):
        number = isinstance(value, int if hint is int else int | float)
        return number and not isinstance(value, bool) and math.isfinite(value)
    return hint is Any or (hint in _WORDS and isinstance(value, hint))


def described(hint: Any) -> str:
    """`hint` in the words of a message."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(described(each) for each in arguments)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin in (tuple, list):
        return f"a list as in [{'1, 2' if arguments[0] is int else 'one, other'}]"
    if origin is Mapping:
        return "keys with values"
    return _WORDS.get(hint, "a node with _target_")


def shown(value: Any) -> str:
    """`value` as it would be typed."""
    if isinstance(value, list):
        return f"[{','.join(shown(each) for each in value)}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
