"""ONNX files, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Declaration
from porl_robot.policy.importing.raw import Float32, Raw

_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


def read(path: Path, declaration: Declaration) -> Raw:
    """A graph with one input of shape (D,) or (1, D); where it has several outputs, the first is the action.

    Raises:
        UserError: onnxruntime is not installed, or the file is no such graph.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UserError(f"source={path}: ONNX needs onnxruntime: pip install 'porl-robot[import]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors are raised as well
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common base
        raise UserError(f"source={path}: is not an ONNX graph that onnxruntime can run") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) not in (1, 2):
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise UserError(
            f"source={path}: has inputs {found}; expected one of floats, shape (observations) or (1, observations)"
        )
    given = inputs[0]
    dtype, batched = _TYPES[given.type], len(given.shape) == 2

    def act(observation: Float32) -> Any:
        value = observation.astype(dtype)
        return session.run(None, {given.name: value[None] if batched else value})[0]

    size = given.shape[-1]
    return Raw(act, "onnx", observation_size=size if isinstance(size, int) else None)
