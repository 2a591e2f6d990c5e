"""From a place to a policy: which reader a file is for."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from porl_robot.errors import UserError
from porl_robot.policy.importing import baselines, exported, onnx_file, python, state_dict, torchscript
from porl_robot.policy.importing.declaration import KINDS, Declaration
from porl_robot.policy.importing.raw import Raw

_READERS: Mapping[str, Callable[[Path, Declaration], Raw]] = {
    "torchscript": torchscript.read,
    "export": exported.read,
    "onnx": onnx_file.read,
    "sb3": baselines.read,
    "state_dict": state_dict.read,
}


def load(place: str, declaration: Declaration) -> Raw:
    """Reads the policy at `place` as the kind that is declared or that its content tells.

    Raises:
        UserError: there is nothing, it is of no known kind, or its reader refuses it.
    """
    kind = declaration.kind
    if kind == "callable" or (kind == "auto" and ":" in place and not Path(place).exists()):
        if ":" not in place:
            raise UserError(f"source={place}: expected package.module:attribute or path/to/file.py:attribute")
        return python.read(place)
    path = Path(place)
    if path.is_dir():
        raise UserError(
            f"source={place}: is a folder, expected a file; a policy of pretrain or finetune needs no import"
        )
    if path.suffix == ".py" and path.is_file():
        raise UserError(f"source={place}: name the callable in it, as in source={place}:act")
    if not path.is_file():
        raise UserError(f"source={place}: there is no such file; a callable is given as file.py:attribute")
    return _READERS[_kind_of(path) if kind == "auto" else kind](path, declaration)


def _kind_of(path: Path) -> str:
    """Of a file, by what is in it; files that are no zips by their ending."""
    if not zipfile.is_zipfile(path):
        endings = {".onnx": "onnx", ".safetensors": "state_dict", ".pth": "state_dict", ".pt": "state_dict"}
        if path.suffix in endings:
            return endings[path.suffix]
        raise UserError(f"source={path}: is of no kind that can be told; give kind={' or '.join(KINDS[1:])}")
    with zipfile.ZipFile(path) as archive:
        members = {name.rpartition("/")[2] for name in archive.namelist()}
        folders = {part for name in archive.namelist() for part in name.split("/")[:-1]}
    if "policy.pth" in members:
        return "sb3"
    if "archive_format" in members or "serialized_exported_program.json" in members:
        return "export"
    if "code" in folders:
        return "torchscript"
    if "data.pkl" in members:
        return "state_dict"
    raise UserError(f"source={path}: is of no kind that can be told; give kind={' or '.join(KINDS[1:])}")
