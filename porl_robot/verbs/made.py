"""What a config with a `_target_` describes."""

from __future__ import annotations

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from porl_robot.errors import UsageError, UserError
from porl_robot.verbs.kinds import require_kinds


def made(config: DictConfig, where: str, **arguments: Any) -> Any:
    """What a config with `_target_` describes.

    Raises:
        UsageError: a value is refused; the message begins with `where`.
    """
    node = OmegaConf.to_container(config, resolve=True)
    assert isinstance(node, dict)
    require_kinds({str(key): value for key, value in node.items()}, where)
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        if isinstance(cause, ValueError | TypeError):
            reason = str(cause).split("\n", 1)[0]
            raise UsageError(reason if reason.startswith(f"{where}.") else f"{where}: {reason}") from error
        raise
