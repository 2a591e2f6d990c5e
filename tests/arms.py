"""The arms that we ship, for whichever test wants one, and what several tests ask of an arm."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from hardware.description import RobotDescription, robot
from porl_robot.paths import data_dir
from sim.virtual_arm.launch import LaunchedArm


def described(name: str, **changes: Any) -> RobotDescription:
    """The arm of `configs/robot/NAME.yaml`, with `changes` to its keys."""
    values = OmegaConf.to_container(OmegaConf.load(data_dir("configs") / "robot" / f"{name}.yaml"))
    assert isinstance(values, dict)
    del values["_target_"]
    return robot(**{str(key): value for key, value in values.items()} | changes)


def comes_to_rest(arm: LaunchedArm, seconds: float = 0.3) -> bool:
    """Whether every joint of `arm` is slower than .05 rad/s within `seconds` of wall time."""
    deadline = time.monotonic() + seconds
    while np.abs(arm.state()["velocity"]).max() >= 0.05:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
