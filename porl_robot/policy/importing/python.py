"""Python callables. Importing the module they live in runs it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from porl_robot.errors import UserError
from porl_robot.policy.importing.raw import Raw, nothing, of_module


def read(place: str) -> Raw:
    """`package.module:attribute` or `path/to/file.py:attribute`.

    The attribute is called with an observation (D,) as a NumPy array; a torch module with a tensor (1, D). A class is
    made without arguments first. A method `reset` is called at the start of every episode.

    Raises:
        UserError: it cannot be imported or is not callable.
    """
    module_name, _, attribute = place.rpartition(":")
    try:
        found: Any = _module(module_name)
        for name in attribute.split("."):
            found = getattr(found, name)
        if isinstance(found, type):
            found = found()
    except (Exception, SystemExit) as error:  # it is the user's code that runs here
        reason = str(error).split("\n", 1)[0]
        raise UserError(f"source={place}: cannot be imported ({type(error).__name__}: {reason})") from error
    if not callable(found):
        raise UserError(f"source={place}: is a {type(found).__name__}; expected something to call with an observation")
    reset = getattr(found, "reset", nothing)
    if isinstance(found, torch.nn.Module):
        return replace(of_module("callable", found.eval(), found.state_dict()), reset=reset)
    return Raw(found, "callable", reset)


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        # A module beside the user is what `python -m` would find too.
        sys.path.insert(0, "")
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove("")
    path = Path(name).absolute()
    spec = importlib.util.spec_from_file_location(f"source {path}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # As a script it would find what lies beside it; later, when it acts, without hiding what is installed.
    beside = str(path.parent)
    sys.path.insert(0, beside)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(beside)
        sys.path.append(beside)
    return module
