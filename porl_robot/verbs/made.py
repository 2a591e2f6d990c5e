"""What a config with a `_target_` describes."""

from __future__ import annotations

import re
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from porl_robot.errors import UsageError, UserError
from porl_robot.verbs.kinds import require_kinds


def made(config: DictConfig, where: str, **arguments: Any) -> Any:
    """What a config with `_target_` describes.

    Raises:
        UsageError: a value is refused; the message begins with the node that refuses it, `where` or one within.
    """
    node = OmegaConf.to_container(config, resolve=True)
    assert isinstance(node, dict)
    require_kinds({str(key): value for key, value in node.items()}, where)
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if cause is None:  # Hydra's own refusal, of a name that it will not call
            place = _refusing(error) or where
            raise UsageError(f"{place}: expected another _target_; Hydra refuses to call this one") from error
        if isinstance(cause, UserError):
            raise cause from error
        if isinstance(cause, ValueError | TypeError):
            raise UsageError(_located(str(cause).split("\n", 1)[0], _refusing(error) or where)) from error
        raise


def _refusing(error: InstantiationException) -> str | None:
    """The key of the node that could not be made, which Hydra tells in a line of its own."""
    found = re.search(r"^full_key: (.+)$", str(error), re.MULTILINE)
    return found[1] if found else None


def _located(reason: str, place: str) -> str:
    outer, _, name = place.rpartition(".")
    if outer and reason.startswith(f"{name}."):
        return f"{outer}.{reason}"
    return reason if reason.startswith(f"{place}.") else f"{place}: {reason}"
