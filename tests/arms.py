"""The arms that we ship, for whichever test wants one."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from hardware.description import RobotDescription, robot
from porl_robot.paths import data_dir


def described(name: str, **changes: Any) -> RobotDescription:
    """The arm of `configs/robot/NAME.yaml`, with `changes` to its keys."""
    values = OmegaConf.to_container(OmegaConf.load(data_dir("configs") / "robot" / f"{name}.yaml"))
    assert isinstance(values, dict)
    del values["_target_"]
    return robot(**{str(key): value for key, value in values.items()} | changes)
