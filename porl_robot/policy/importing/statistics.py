"""Statistics that a source's observations are normalised by, read without running anything a file holds."""

from __future__ import annotations

import json
import pickle
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from porl_robot.command import FloatArray
from porl_robot.errors import UserError

Float64 = npt.NDArray[np.float64]

_NUMPY = {
    "numpy": ("ndarray", "dtype"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),  # written by NumPy 2
}


@dataclass(frozen=True, slots=True)
class Statistics:
    """Observations are shown to the source as clip((o - mean) / std, -clip, clip). Mean and std: shape (D,)."""

    mean: Float64
    std: Float64
    clip: float = float("inf")

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(f"mean {self.mean.shape} and std {self.std.shape} must be vectors of one length")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0.0).all()):
            raise ValueError("mean and std must be finite and std positive")

    def normalised(self, observation: FloatArray) -> FloatArray:
        """Observation (D,) as the source sees it."""
        return np.clip((observation - self.mean) / self.std, -self.clip, self.clip)


def read_statistics(path: Path) -> Statistics:
    """From an .npz or .json with `mean` and `std`, or a Stable-Baselines3 VecNormalize pickle.

    Raises:
        UserError: the file is not there or holds no such thing.
    """
    readers = {".npz": _from_npz, ".json": _from_json, ".pkl": _from_vec_normalize}
    if path.suffix not in readers:
        raise UserError(f"normalisation={path}: expected an .npz or .json with mean and std, or a VecNormalize .pkl")
    try:
        return readers[path.suffix](path)
    except OSError as error:
        raise UserError(f"normalisation={path}: cannot be read ({error.strerror or error})") from error
    except (
        *(ValueError, KeyError, TypeError, AttributeError, EOFError),
        *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error),
    ) as error:
        reason = str(error).split("\n", 1)[0]
        raise UserError(f"normalisation={path}: holds no mean and std of observations ({reason})") from error


def _from_npz(path: Path) -> Statistics:
    with np.load(path, allow_pickle=False) as arrays:
        return Statistics(_vector(arrays["mean"]), _vector(arrays["std"]))


def _from_json(path: Path) -> Statistics:
    values = json.loads(path.read_text())
    return Statistics(_vector(values["mean"]), _vector(values["std"]))


def _from_vec_normalize(path: Path) -> Statistics:
    """std = sqrt(var + epsilon), as VecNormalize has it."""
    with path.open("rb") as file:
        held = vars(_DataOnly(file).load())
    if not held["norm_obs"]:
        raise ValueError("it does not normalise observations")
    moments = vars(held["obs_rms"])
    std = np.sqrt(_vector(moments["var"]) + float(held["epsilon"]))
    return Statistics(_vector(moments["mean"]), std, float(held["clip_obs"]))


def _vector(values: Any) -> Float64:
    return np.asarray(values, dtype=np.float64)


class _Held:
    """Stands in for every class a pickle names: keeps attributes, runs nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _DataOnly(pickle.Unpickler):
    """Reads NumPy arrays and plain values; whatever else a pickle would call is replaced by `_Held`."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _NUMPY.get(module, ()):
            return getattr(np if module == "numpy" else np.core.multiarray, name)
        return _Held
