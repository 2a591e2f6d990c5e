"""Fits delay, servo gain, damping, friction and backlash of an arm's MuJoCo model to how the arm moves.

Without log= the arm at robot.port is excited for about three minutes and recorded; with it a recording is fitted.
Writes model.xml for robot.model=, and the tracking error before and after on motion that was not fitted.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from porl_robot.analysis.summary import write_summary
from porl_robot.errors import UsageError
from porl_robot.verbs.attend import attended
from porl_robot.verbs.made import made
from porl_robot.verbs.outputs import new_out, require_new_out
from porl_robot.verbs.terminal import Terminal

RECORDING = "recording.npz"
_IDENTIFIER = "sim.identify.identifier.Identifier"
_PLAYER = "hardware.motion_player.MotionPlayer"


def run(config: DictConfig) -> int:
    """Records where no `config.log` is given, and fits."""
    began = time.monotonic()
    require_new_out(Path(config.out))
    made(config.robot, "robot")  # names its own keys, which it is a part of below
    identifier = _made(_IDENTIFIER, config)
    if config.log is None:
        recording, log = _record(config, identifier), Path(config.out) / RECORDING
    else:
        recording, log = _load(config, identifier), Path(config.log)
        new_out(config)
    out, header = Path(config.out), recording.header
    with Terminal("fit", len(header.joints), "joints") as terminal:

        def fitted(joint: Any) -> None:
            terminal.note(_line(joint))
            terminal.advance()

        found = identifier.identify(recording, out, fitted)
    for row in found.rows():
        before, after = 1e3 * row["before"], 1e3 * row["after"]
        print(f"{row['joint']:15} error on held-out motion: {before:.2f} mrad before, {after:.2f} after")
    values = {
        "robot": header.robot,
        "log": str(log),
        "recorded": header.date,
        "calibration": header.calibration,
        "excited_s": float(recording.time[-1] - recording.time[0]),
        "model": str(found.model),
        "joints": found.rows(),
        "parameters": [row for joint in found.joints for row in joint.rows()],
        "wall_s": time.monotonic() - began,
    }
    write_summary("identify", out / "summary.json", values)
    print(f"robot.model={found.model} takes the identified model; figure and figures in {out}")
    return 0


def _load(config: DictConfig, identifier: Any) -> Any:
    """The recording in `config.log`."""
    if config.robot.port is not None:
        raise UsageError(f"robot.port={config.robot.port}: log={config.log} is fitted without an arm; leave one out")
    return identifier.load(Path(config.log))


def _record(config: DictConfig, identifier: Any) -> Any:
    """Excites the arm, and keeps what it did in the out folder."""
    if config.robot.port is None:
        raise UsageError(
            "robot.port=... is missing: expected the port of the arm to excite (porl-robot scan finds it), or "
            "log=RECORDING to fit without an arm"
        )
    with closing(_made(_PLAYER, config, speed=config.safety.speed)) as player:
        motion = identifier.excitation(player.limits, config.seed)
        with attended(config, player) as operator:
            out = new_out(config)
            line = operator.line if operator else None
            with Terminal("excite", round(motion.seconds), "s", line) as terminal:
                played = player.play(motion.position, motion.hz, lambda seconds: terminal.progress(int(seconds)))
        recording = identifier.recording(motion, played.began, played.time, played.watched, player.calibration)
    recording.save(out / RECORDING)
    return identifier.load(out / RECORDING)


def _made(target: str, config: DictConfig, **arguments: Any) -> Any:
    return made(OmegaConf.create({"_target_": target, "robot": config.robot, **arguments}), "robot")


def _line(joint: Any) -> str:
    """What the fit says of one joint; in brackets what the data could not tell."""
    rows = joint.rows()
    shown = (f"{row['parameter']} {row['after']:.4g}" for row in rows)
    return f"{joint.joint:15} " + "  ".join(
        f"({each})" if row["told_by"] == "prior" else each for each, row in zip(shown, rows, strict=True)
    )
