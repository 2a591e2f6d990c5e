"""Programs of `torch.export`."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration
from porl_robot.policy.importing.raw import Raw, of_module

_OBJECTS = ("custom_obj", "opaque_obj")
_ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def read(path: Path, declaration: Declaration) -> Raw:
    """A program saved by `torch.export.save`.

    Raises:
        UserError: the file is not one, or holds Python objects, whose loading could run code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(Path(name).name.startswith(_OBJECTS) for name in names):
            raise UserError(f"source={path}: holds Python objects beside its weights, which are not loaded")
        with _only_weights(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(str(path))
    except UserError:
        raise
    except Exception as error:  # the loader raises whatever its parts do
        reason = str(error).split("\n", 1)[0]
        raise UserError(
            f"source={path}: is not a program of torch.export that can be loaded safely ({reason}); expected a file "
            "from torch.export.save"
        ) from error
    return of_module("export", program.module(), program.state_dict)


@contextmanager
def _only_weights() -> Iterator[None]:
    """Inside, torch unpickles tensors only: its loader of programs asks for more where a file wants it to."""
    before = os.environ.get(_ONLY_WEIGHTS)
    os.environ[_ONLY_WEIGHTS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_ONLY_WEIGHTS)
        if before is not None:
            os.environ[_ONLY_WEIGHTS] = before
