"""TorchScript modules."""

from __future__ import annotations

from pathlib import Path

import torch

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration
from porl_robot.policy.importing.raw import Raw, of_module


def read(path: Path, declaration: Declaration) -> Raw:
    """A module saved by `torch.jit.save`, in evaluation mode.

    Raises:
        UserError: the file is not one.
    """
    try:
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]  # untyped in torch
    except (RuntimeError, ValueError) as error:
        raise UserError(f"source={path}: is not a TorchScript module; expected a file from torch.jit.save") from error
    return of_module("torchscript", module.eval(), module.state_dict())
