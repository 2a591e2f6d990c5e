"""Virtual arms to measure on, and where the figures go."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from machine import RESULTS, commit, machine
from omegaconf import OmegaConf

from hardware.arm.driver import Arm, open_arm
from hardware.arm.limits import with_ranges
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.identity import calibration_file
from porl_robot.paths import data_dir
from porl_robot.scheduling import HOST_PRIORITY, Punctual
from sim.virtual_arm.launch import LaunchedArm

ROBOTS = {"feetech": "so101", "dynamixel": "light"}


@contextmanager
def virtual_arm(protocol: str, **keys: object) -> Iterator[tuple[LaunchedArm, RobotDescription]]:
    """A virtual arm of six servos and its description; `keys` are those of `porl-robot virtual-arm`."""
    with tempfile.TemporaryDirectory() as folder, LaunchedArm(Path(folder) / "arm", protocol=protocol, **keys) as arm:
        yield arm, described(protocol, arm.link)


def described(protocol: str, port: Path) -> RobotDescription:
    """The shipped arm of this protocol, at `port`."""
    config = OmegaConf.load(data_dir("configs") / "robot" / f"{ROBOTS[protocol]}.yaml")
    robot: RobotDescription = instantiate(config, _convert_="all")
    return with_ranges(replace(robot, port=str(port)))


@contextmanager
def opened(robot: RobotDescription) -> Iterator[Arm]:
    """The driver of an arm, which lets go in the end."""
    assert robot.port is not None
    arm = open_arm(robot, calibration_file(robot.port), Clock(robot.time_scale))
    try:
        yield arm
    finally:
        arm.safe_stop("torque_off")
        arm.close()


@contextmanager
def real_time() -> Iterator[bool]:
    """Real-time scheduling for this thread, as the arm host has it; yields whether it was granted."""
    scheduling = Punctual(HOST_PRIORITY)
    scheduling.hurry(True)
    try:
        yield scheduling.granted
    finally:
        scheduling.hurry(False)


def write_results(name: str, seed: int, measured: dict[str, Any]) -> None:
    """Writes `benchmarks/results/NAME.json`."""
    command = shlex.join(["python", *(sys.argv if sys.argv[0].startswith("bench") else [f"benchmarks/{name}.py"])])
    record = {"command": command, "commit": commit(), "machine": machine(), "seed": seed, **measured}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
