"""Checkpoints of a fine-tuning run: a folder per step, whole or absent."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from porl_robot.control.run_state import RunState
from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.learner.agent_file import save_agent
from porl_robot.learner.learner import Learner
from porl_robot.learner.state import PRIORITIES
from porl_robot.policy.checkpoint import save_policy

FOLDER = "checkpoints"
_log = logging.getLogger(__name__)

_LEARNER = "learner.safetensors"
_RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run goes on from: its counters and the folder that holds the learner."""

    run: RunState
    folder: Path


def save_checkpoint(out: Path, run: RunState, learner: Learner) -> None:
    """Writes `out/checkpoints/<env_steps>`, replacing one of the same step. What acts can be loaded from it."""
    folder = out / FOLDER / f"{run.env_steps:09d}"
    temporary = folder.with_name(folder.name + ".new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in learner.state.tensors()}
    tensors["rng"] = learner.rng.get_state()
    replace_file(temporary / _LEARNER, save(tensors))
    if learner.method.behaviour is None:
        save_policy(learner.policy(), temporary)
    else:
        save_agent(learner.policy(), learner, temporary)
    counters = {"critic_updates": learner.critic_updates, "actor_updates": learner.actor_updates}
    replace_file(temporary / _RUN, json.dumps({"run": run.to_json(), **counters}).encode())
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def newest_checkpoint(out: Path) -> Checkpoint:
    """The last whole checkpoint. Passing over damaged ones is warned of; what they measured is not measured again.

    Raises:
        UserError: there is none; where all are damaged, it is that of the newest.
    """
    folders = sorted((f for f in (out / FOLDER).glob("*") if f.suffix != ".new"), reverse=True)
    if not folders:
        raise UserError(f"{out}: holds no checkpoint to resume from; give the out folder of a fine-tuning run")
    damage: list[UserError] = []
    for folder in folders:
        try:
            checkpoint = Checkpoint(_read(folder)[0], folder)
            _require_whole(folder / _LEARNER)
        except UserError as error:
            damage.append(error)
            continue
        if damage:
            _log.warning("%s; going on from the checkpoint of step %d", damage[0], checkpoint.run.env_steps)
        return checkpoint
    raise damage[0]


def restore_learner(checkpoint: Checkpoint, learner: Learner) -> None:
    """Puts the checkpoint's tensors, randomness and counters into `learner`.

    Raises:
        UserError: the file is damaged or of a learner of other sizes.
    """
    path = checkpoint.folder / _LEARNER
    try:
        tensors = load_file(path)
        with torch.no_grad():
            for name, tensor in learner.state.tensors():
                if name == PRIORITIES:  # of fewer or more rows where a run is to be longer or shorter than planned
                    both = min(len(tensors[name]), len(tensor))
                    tensor[:both] = tensors[name][:both]
                    continue
                if tensors[name].shape != tensor.shape:
                    raise ValueError(f"{name} has shape {list(tensors[name].shape)}, not {list(tensor.shape)}")
                tensor.copy_(tensors[name])
        learner.rng.set_state(tensors["rng"])
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be resumed from ({error})") from error
    _, learner.critic_updates, learner.actor_updates = _read(checkpoint.folder)


def _require_whole(path: Path) -> None:
    """Refuses a file of tensors that is cut short or has no readable header; reads no more than that."""
    try:
        with safe_open(path, "pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be resumed from ({error})") from error


def _read(folder: Path) -> tuple[RunState, int, int]:
    """Counters of the run, critic updates, actor updates."""
    path = folder / _RUN
    try:
        data = json.loads(path.read_text())
        return RunState.from_json(data["run"]), int(data["critic_updates"]), int(data["actor_updates"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be resumed from ({type(error).__name__}: {error})") from error
