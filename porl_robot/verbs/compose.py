"""From command-line overrides to a checked config, with every mistake answered in one line."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]  # ships no types

from porl_robot.errors import UsageError, UserError
from porl_robot.paths import data_dir
from porl_robot.verbs.kinds import described, fits
from porl_robot.verbs.schema import CONSENT, LARGEST, PASSED_ON, SCHEMAS, register

GROUPS = ("robot", "env", "method", "learner", "safety", "teleop")
VERSION_BASE = "1.3"
CONFIG_NAME = "config.yaml"


def load(verb: str, overrides: Sequence[str]) -> DictConfig:
    """The resolved config of `verb`.

    Raises:
        UsageError: unknown keys or groups, missing or ill-typed values; the message names them.
    """
    parsed = parse(overrides)
    _require_single_values(verb, parsed)
    handed_on = [override for override in parsed if _is_handed_on(verb, override)]
    parsed = [override for override in parsed if override not in handed_on]
    if "resume" in _keys(verb) and any(override.key_or_group == "resume" for override in parsed):
        return _resumed(verb, parsed)
    config = _composed(verb, parsed)
    for override in parsed:
        if override.key_or_group not in GROUPS:
            _assign(config, override)
    if handed_on:
        config.overrides = [*config.overrides, *(str(override.input_line) for override in handed_on)]
    _require_complete(verb, config)
    try:
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        typed = next((override for override in overrides if "${" in override), verb)
        raise UsageError(f"{typed}: {_first_line(error)}") from error
    _require_ranges(verb, config)
    return config


def parse(overrides: Sequence[str]) -> list[Override]:
    """The overrides, parsed.

    Raises:
        UsageError: one is not of the form key=value.
    """
    parser = OverridesParser.create()
    parsed = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not key or not equals or key.startswith("~"):
            raise UsageError(f"{override}: expected key=value")
        if value.startswith("~/"):
            whole = f"{key}=$HOME{value[1:]}"
            raise UsageError(f"{override}: no shell has replaced the ~; expected a whole path, as in {whole}")
        try:
            parsed.append(parser.parse_override(override))
        except HydraException as error:
            raise UsageError(
                f"{override}: the value cannot be read; one with special characters needs quotes within quotes: "
                f"{_doubly_quoted(key, value)}"
            ) from error
    return parsed


def quoted(value: object) -> str:
    """`value` as an override can hold it, whatever characters it is made of."""
    return QuotedString(str(value), Quote.double).with_quotes()


def _resumed(verb: str, overrides: list[Override]) -> DictConfig:
    """The config a run was begun with, and `steps` where it is given anew."""
    given = {override.key_or_group: override for override in overrides}
    for name, override in given.items():
        if name not in ("resume", "steps", "arm"):
            raise UsageError(
                f"{override.input_line}: only steps and arm may be given beside resume; the rest is taken from the run"
            )
    _require_kinds(verb, overrides)
    out = Path(str(given["resume"].value()))
    path = out / CONFIG_NAME
    try:
        saved = OmegaConf.load(path)
        config = OmegaConf.merge(OmegaConf.structured(SCHEMAS[verb]), saved)
    except OSError as error:
        raise UserError(f"resume={out}: holds no {CONFIG_NAME}; give the out folder of a {verb} run") from error
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise UserError(f"{path}: is not the config of a {verb} run ({_first_line(error)})") from error
    assert isinstance(config, DictConfig)
    lacking = [each.name for each in fields(SCHEMAS[verb]) if each.name not in (*saved, "arm", "teleop")]
    if lacking:
        raise UserError(f"{path}: is not the config of a {verb} run ({lacking[0]} is missing)")
    for override in overrides:
        _assign(config, override)
    config.out = config.resume
    if _missing(config):
        raise UserError(f"{path}: is not the config of a {verb} run ({_missing(config)[0]} is missing)")
    _require_ranges(verb, config)
    return config


def _composed(verb: str, overrides: list[Override]) -> DictConfig:
    """The defaults of `verb` with the groups that were chosen."""
    register()
    groups = {o.key_or_group: o for o in overrides if o.key_or_group in GROUPS and o.key_or_group in _keys(verb)}
    with initialize_config_dir(version_base=VERSION_BASE, config_dir=str(data_dir("configs"))):
        options = GlobalHydra.instance().config_loader().get_group_options
        for name, override in groups.items():
            if override.value() not in options(name):
                value = override.get_value_element_as_str()
                raise UsageError(f"{name}={value}: no such {name}; there are {', '.join(options(name))}")
        needed = "env" if "env" in _keys(verb) else "robot"
        if needed in _keys(verb) and needed not in groups and verb != "demo":
            plain = [override for override in overrides if "." not in override.key_or_group]
            _require_known_keys(verb, plain, _keys(verb))
            raise UsageError(f"{needed}=... is missing; there are {', '.join(options(needed))}")
        config = compose(
            config_name=verb.replace("-", "_"), overrides=[str(override.input_line) for override in groups.values()]
        )
    _require_known_keys(verb, overrides, [key for key, _ in dotted(OmegaConf.to_container(config))])
    _require_kinds(verb, overrides)
    return config


def _require_known_keys(verb: str, overrides: Iterable[Override], known: list[str]) -> None:
    for override in overrides:
        name = override.key_or_group
        if name in known:
            continue
        parent, _, last = name.rpartition(".")
        beside = [key for key in known if key.rpartition(".")[0] == parent and not key.endswith("_target_")]
        ends = {key.rpartition(".")[2]: key for key in beside}
        near = [ends[each] for each in difflib.get_close_matches(last, ends, cutoff=0.6)]
        near = near or [key for end, key in ends.items() if last.startswith(end)]
        hint = f"porl-robot {verb} --help lists the keys"
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        elif parent and beside:
            hint = f"there are {', '.join(beside)}"
        raise UsageError(f"{override.input_line}: unknown key {name}; {hint}")


def _is_handed_on(verb: str, override: Override) -> bool:
    key = override.key_or_group
    return any(key.startswith(start) if start[-1] == "." else _group(key) == start for start in PASSED_ON.get(verb, ()))


def _require_single_values(verb: str, overrides: Iterable[Override]) -> None:
    hints = get_type_hints(SCHEMAS[verb])
    for override in overrides:
        if override.is_sweep_override():
            key, _, value = str(override.input_line).partition("=")
            if get_origin(hints.get(key)) is tuple:
                raise UsageError(f"{override.input_line}: expected a list as in {key}=[{value}]")
            several = "expected one value" if verb in PASSED_ON else "several values need -m"
            raise UsageError(
                f"{override.input_line}: {several}, one with a comma needs quotes within quotes: "
                f"{_doubly_quoted(key, value)}"
            )


def _require_kinds(verb: str, overrides: Iterable[Override]) -> None:
    """Of the plain keys; those of the groups are held against what is made of them, later."""
    hints = get_type_hints(SCHEMAS[verb])
    for override in overrides:
        value, hint = override.value(), hints.get(override.key_or_group, Any)
        if hint is not Any and (value == "" or not (fits(value, hint) or fits(_numbers_as_text(value), hint))):
            raise UsageError(f"{override.input_line}: expected {described(hint)}")


def _numbers_as_text(value: Any) -> Any:
    """`value`, or the values of its list, as text where they are numbers."""
    if isinstance(value, list):
        return [_numbers_as_text(each) for each in value]
    return str(value) if isinstance(value, int | float) else value


def _assign(config: DictConfig, override: Override) -> None:
    key, value = override.key_or_group, override.value()
    node = key.startswith("env.") and isinstance(OmegaConf.select(config, key), DictConfig)
    if node and not isinstance(value, dict) and (key, value) != ("env.demonstrator", None):
        raise UsageError(f"{override.input_line}: expected keys with values")
    try:
        OmegaConf.update(config, key, value)
    except OmegaConfBaseException as error:
        raise UsageError(f"{override.input_line}: {_first_line(error)}") from error


def _require_complete(verb: str, config: DictConfig) -> None:
    missing = _missing(config)
    if not missing:
        return
    for each in fields(SCHEMAS[verb]):
        if each.name == missing[0]:
            raise UsageError(f"{each.name}=... is missing; expected the {each.metadata['help']}")
    raise UsageError(f"{missing[0]}=... is missing; this {_group(missing[0])} has no default for it")


def _require_ranges(verb: str, config: DictConfig) -> None:
    for each in fields(SCHEMAS[verb]):
        least, given = each.metadata["least"], config[each.name]
        if least is None or given is None:
            continue
        for value in given if isinstance(given, ListConfig) else [given]:
            if value < least:
                raise UsageError(f"{each.name}={value}: expected a whole number of at least {least}")
            if value > LARGEST:
                raise UsageError(f"{each.name}={value}: expected a whole number of at most {LARGEST}")
    if config.get("arm") not in (None, CONSENT):
        raise UsageError(f"arm={config.arm}: expected {CONSENT}, or to be asked at the terminal")
    if config.get("write") not in (None, CONSENT):
        raise UsageError(f"write={config.write}: expected {CONSENT}, or to be asked at the terminal")
    if "safety" not in config:
        return
    speed = config.safety.speed
    if not fits(speed, float) or not 0.0 < speed <= 1.0:
        raise UsageError(f"safety.speed={speed}: expected a number above 0 and at most 1")


def _keys(verb: str) -> list[str]:
    return [each.name for each in fields(SCHEMAS[verb])]


def _missing(config: DictConfig) -> list[str]:
    """Every dotted key without a value. Unlike OmegaConf's own search it stands interpolations of such keys."""
    return [key for key, value in dotted(OmegaConf.to_container(config)) if value == "???"]


def dotted(node: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Every key below `node` with the keys above it before it, and its value."""
    for key, value in node.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{key}.")


def _group(key: str) -> str:
    return key.split(".", 1)[0]


def _doubly_quoted(key: str, value: str) -> str:
    """The override as a shell takes it."""
    return shlex.quote(f"{key}={quoted(value)}")


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]
