"""Calibrates an arm: every joint is swept by hand, checked, written into its servo and moved a little.

The torque is off but for those small moves. Nothing is written before it was shown and agreed to. The calibration is
stored under the serial number of the adapter; docs/hardware.md leads through it and says what each refusal means.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig

from porl_robot.control.keyboard import keyboard
from porl_robot.errors import UsageError
from porl_robot.verbs.made import made
from porl_robot.verbs.schema import CONSENT
from porl_robot.verbs.sweep_screen import SweepScreen

_PROCEDURE = "hardware.calibrate.procedure.Procedure"


def run(config: DictConfig) -> int:
    """Calibrates the arm at `config.robot.port`, or writes its calibration for LeRobot."""
    if config.seconds is not None and not 0.0 < config.seconds < math.inf:
        raise UsageError(f"seconds={config.seconds:g}: expected a number above 0")
    procedure: Any = get_class(_PROCEDURE)(made(config.robot, "robot"), config.signs)
    if config.export is not None:
        print(f"{procedure.export(Path(config.export))}: written for LeRobot to {config.export}")
        return 0
    # Whoever stands beside a virtual arm has no hands on it: its standard input is never read.
    listening = keyboard() is not None and not procedure.virtual
    _require_answers(config, listening, procedure.virtual)
    screen = SweepScreen(config.seconds, config.write == CONSENT, listening)
    stored = procedure.calibrate(screen, None if config.source is None else Path(config.source))
    print(f"calibrated; the torque is off: {stored}")
    return 0


def _require_answers(config: DictConfig, listening: bool, virtual: bool) -> None:
    """Refuses before anything happens what would have to be asked in the middle of it."""
    if listening:
        return
    nobody = "a virtual arm asks nobody" if virtual else "standard input is no terminal"
    if config.seconds is None and config.source is None:
        raise UsageError(f"seconds=... is missing: {nobody}, so Enter cannot end the sweep; expected its length")
    if config.signs is None and not virtual:
        raise UsageError(f"signs=... is missing: {nobody}; expected 1 or -1 per joint, as in signs=[1,1,-1,1,1,1]")
