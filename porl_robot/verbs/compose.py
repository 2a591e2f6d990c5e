"""From command-line overrides to a checked config, with every mistake answered in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from porl_robot.errors import UsageError
from porl_robot.paths import data_dir
from porl_robot.verbs.schema import SCHEMAS, register

GROUPS = ("env", "method", "learner", "safety")
VERSION_BASE = "1.3"


def load(verb: str, overrides: list[str]) -> DictConfig:
    """The resolved config of `verb`.

    Raises:
        UsageError: unknown keys or groups, missing or ill-typed values; the message names them.
    """
    register()
    parsed = parse(overrides)
    with initialize_config_dir(version_base=VERSION_BASE, config_dir=str(data_dir("configs"))):
        _require_known_groups(verb, parsed)
        try:
            config = compose(config_name=verb, overrides=overrides)
        except (ConfigCompositionException, OmegaConfBaseException, HydraException) as error:
            raise _explained(verb, parsed, error) from error
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UsageError(f"{missing[0]}=... is missing; porl-robot {verb} --help says what it takes")
    try:
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        raise UsageError(_first_line(error)) from error
    _require_ranges(verb, config)
    return config


def parse(overrides: list[str]) -> list[Override]:
    """The overrides, parsed.

    Raises:
        UsageError: one is not of the form key=value.
    """
    parser = OverridesParser.create()
    parsed = []
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise UsageError(f"{override}: expected key=value")
        try:
            parsed.append(parser.parse_override(override))
        except OverrideParseException as error:
            raise UsageError(f"{override}: expected key=value ({_first_line(error)})") from error
    return parsed


def group_options(group: str) -> list[str]:
    """The choices of a config group. Needs an initialised Hydra."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group))


def _require_known_groups(verb: str, overrides: Iterable[Override]) -> None:
    given = {}
    for override in overrides:
        name = override.key_or_group
        if name in GROUPS and name in _keys(verb):
            given[name] = override.value()
            values = [v for v in override.sweep_iterator()] if override.is_sweep_override() else [given[name]]
            known = group_options(name)
            for value in values:
                if value not in known:
                    raise UsageError(f"{name}={value}: no such {name}; there are {', '.join(known)}")
    if "env" not in given and verb != "demo":
        raise UsageError(f"env=... is missing; there are {', '.join(group_options('env'))}")


def _keys(verb: str) -> list[str]:
    return [each.name for each in fields(SCHEMAS[verb])]


def _explained(verb: str, overrides: list[Override], error: Exception) -> UsageError:
    """What went wrong, in terms of the override that caused it."""
    known = _known_keys(verb, overrides)
    for override in overrides:
        name = override.key_or_group
        if (name not in known and not override.is_add()) or name.split(".")[0] not in _keys(verb):
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"porl-robot {verb} --help lists the keys"
            return UsageError(f"{override.input_line}: unknown key {name}; {hint}")
    key = getattr(error, "full_key", None) or getattr(error.__cause__, "full_key", None)
    return UsageError(f"{key}: {_first_line(error)}" if key else _first_line(error))


def _known_keys(verb: str, overrides: list[Override]) -> list[str]:
    """Every dotted key of the verb's config with the groups that were chosen, without any other override."""
    groups = [o.input_line for o in overrides if o.key_or_group in GROUPS and not o.is_sweep_override()]
    try:
        config = compose(config_name=verb, overrides=[g for g in groups if g is not None])
    except (HydraException, OmegaConfBaseException):
        return _keys(verb)
    return list(_dotted(OmegaConf.to_container(config)))


def _dotted(node: Any, prefix: str = "") -> Iterable[str]:
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")


def _require_ranges(verb: str, config: DictConfig) -> None:
    for each in fields(SCHEMAS[verb]):
        least = each.metadata["least"]
        if least is not None and config[each.name] < least:
            raise UsageError(f"{each.name}={config[each.name]}: expected a whole number of at least {least}")


def _first_line(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__
    return str(cause).split("\n", 1)[0]
