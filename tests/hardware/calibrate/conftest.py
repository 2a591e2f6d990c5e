"""A virtual arm of its own for a test, and a person who sweeps it with the virtual arm's own hands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hardware.calibrate.operator import SweepRow, Table
from hardware.description import RobotDescription, robot
from hardware.ranges import Ranges, joint_ranges
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from sim.virtual_arm.control import ask

SCALE = 8.0
_REACH = 0.35  # rad that the hand is ahead of a joint, so that however late we look, it has not gone far
_PATIENCE = 150  # looks in which a joint has to arrive

RAISED = {"so101": {"shoulder_lift": -1.0}, "light": {}}
"""Where the other joints are held while the elbow is swept, so that nothing touches the table."""


def described(name: str, **changes: Any) -> RobotDescription:
    """The robot of a shipped YAML."""
    values = OmegaConf.to_container(OmegaConf.load(data_dir("configs") / "robot" / f"{name}.yaml"))
    assert isinstance(values, dict)
    del values["_target_"]
    return robot(**{str(key): value for key, value in values.items()} | changes)


@dataclass
class VirtualArm:
    """One that runs."""

    link: Path
    process: subprocess.Popen[str]

    def robot(self, name: str, **changes: Any) -> RobotDescription:
        return described(name, **{"port": str(self.link), "time_scale": SCALE, **changes})


@pytest.fixture
def virtual_arm(tmp_path: Path) -> Iterator[Callable[..., VirtualArm]]:
    """Starts virtual arms that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str = "so101", *more: str) -> VirtualArm:
        link = tmp_path / "arm"
        words = [f"link={link}", f"robot={name}", f"time_scale={SCALE:g}", *more]
        command = [sys.executable, "-m", "porl_robot", "virtual-arm", *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None and str(link) in started[-1].stdout.readline()
        return VirtualArm(link, started[-1])

    yield start
    for process in started:
        process.terminate()
        process.communicate()


@dataclass
class Puppeteer:
    """Sweeps a virtual arm through the poses of `phases`, agrees or not, and remembers what was said."""

    link: Path
    robot: RobotDescription
    agreeing: bool = True
    phases: list[dict[str, float]] = field(default_factory=list)
    ranges: Ranges = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    rows: Sequence[SweepRow] = ()

    def tell(self, text: str) -> None:
        self.heard.append(text)

    @contextmanager
    def sweeping(self) -> Iterator[Table]:
        remaining = list(self.phases)
        looks = 0

        def table(rows: Sequence[SweepRow], elapsed: float) -> bool:
            nonlocal looks
            self.rows = rows
            looks += 1
            if remaining and (self._led(remaining[0]) or looks > _PATIENCE):
                del remaining[0]
                looks = 0
            return bool(remaining)

        yield table

    def agrees(self, question: str) -> bool:
        self.questions.append(question)
        return self.agreeing

    def saw(self, joint: str, words: str) -> bool:
        raise AssertionError("a virtual arm shows its joints itself")

    def _led(self, pose: dict[str, float]) -> bool:
        """Leads the joints on towards `pose`; True once those have arrived that can."""
        angles = dict(zip(self.robot.names, json.loads(ask(self.link, "state"))["position"], strict=True))
        missing = []
        hands = []
        for joint in self.robot.joints:
            at, goal = angles[joint.name], pose[joint.name]
            hands.append(f"hand ids={joint.id} to={at + min(max(goal - at, -_REACH), _REACH)} for=1")
            missing.append(abs(min(max(goal, self.ranges[joint.name][0]), self.ranges[joint.name][1]) - at))
        ask(self.link, "; ".join(hands))
        return max(missing) < 0.02


def puppeteer(link: Path, robot: RobotDescription, short: str | None = None, **more: Any) -> Puppeteer:
    """One who takes every joint from stop to stop and back to the rest pose, `short` only half the way."""
    assert robot.model is not None
    rest = dict(zip(robot.names, ArmKinematics(robot.model).rest.tolist(), strict=True))
    ranges = joint_ranges(robot)
    ends = {name: (lower - 0.3, upper + 0.3) for name, (lower, upper) in ranges.items()}
    if short is not None:
        ends[short] = (ends[short][0], rest[short])
    light = [name for name in robot.names if name not in ("shoulder_lift", "elbow_flex")]
    phases = []
    for end in (0, 1):
        phases.append(rest | {name: ends[name][end] for name in light})
    for name, held in (("shoulder_lift", {}), ("elbow_flex", RAISED[robot.name])):
        phases += [rest | held | {name: ends[name][end]} for end in (0, 1)]
    return Puppeteer(link, robot, phases=[*phases, rest], ranges=ranges, **more)
