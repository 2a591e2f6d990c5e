"""A virtual light arm whose wrist_roll goes over its encoder's seam. Run as a program: LINK CALIBRATION."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from hardware.calibration import load_calibration
from hardware.manifest import Manifest
from porl_robot.paths import data_dir
from sim.virtual_arm.arm import VirtualArm
from sim.virtual_arm.eprom import calibrated
from sim.virtual_arm.port import Port
from sim.virtual_arm.process import Process
from sim.virtual_arm.schedule import Schedule


def main(link: Path, path: Path) -> None:
    """At rest the encoder shows 148: the seam is 0.23 rad away."""
    robot = instantiate(OmegaConf.load(data_dir("configs") / "robot" / "light.yaml"), _convert_="all")
    shipped = load_calibration(data_dir("calibration") / "virtual-light.json")
    roll = replace(shipped.joints["wrist_roll"], homing_offset=1900)
    calibration = replace(shipped, joints={**shipped.joints, "wrist_roll": roll})
    calibration.save(path)
    arm = VirtualArm(robot, calibration, calibrated(robot, calibration), save=lambda: None)
    manifest = Manifest(os.getpid(), calibration.serial, robot.name, 1.0, str(path))
    Process(arm, Port(link), 1.0, Schedule([joint.id for joint in robot.joints]), seed=0).run(
        manifest, partial(print, flush=True)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
