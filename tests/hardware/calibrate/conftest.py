"""Virtual arms that were never calibrated, and a person who sweeps them with the virtual arm's own hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hardware import insist
from hardware.bus import open_bus
from hardware.calibrate.operator import SweepRow, Table
from hardware.clock import Clock
from hardware.description import RobotDescription
from hardware.ranges import Ranges, joint_ranges
from porl_robot.kinematics import ArmKinematics
from sim.virtual_arm.launch import LaunchedArm

from ...arms import described

SCALE = 5.0
_REACH = 0.35  # rad that the hand is ahead of a joint, so that however late we look, it has not gone far
_PATIENCE = 150  # looks in which a joint has to arrive
_HELD_ASIDE = {"so101": {"shoulder_lift": -1.0}}
"""Where other joints are while the elbow is swept, so that nothing touches the table."""


@dataclass
class Bench:
    """A virtual arm, and the robot that it is."""

    arm: LaunchedArm
    robot: RobotDescription

    @property
    def stored(self) -> Path:
        """Where its own calibration goes."""
        return self.arm.link.with_name(f"{self.arm.link.name}.calibrated.json")

    def held(self, *registers: str) -> dict[str, tuple[int, ...]]:
        """What every servo holds in these registers."""
        bus = open_bus(self.robot, Clock(SCALE))
        try:
            return {
                each.name: tuple(insist.read(bus, each.id, name) for name in registers) for each in self.robot.joints
            }
        finally:
            bus.close()

    def person(self, **more: Any) -> Puppeteer:
        """Somebody who takes every joint from stop to stop and back to the rest pose."""
        return _puppeteer(self.arm, self.robot, **more)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches with new servos, or those that `eprom` says; their arms end with the test."""
    with ExitStack() as ending:

        def make(name: str = "so101", **keys: object) -> Bench:
            given = {"robot": name, "time_scale": SCALE, "eprom": "factory", **keys}
            arm = ending.enter_context(LaunchedArm(tmp_path / "arm", **given))
            return Bench(arm, described(name, port=str(arm.link), time_scale=SCALE))

        yield make


@dataclass
class Puppeteer:
    """Sweeps an arm through the poses of `phases`, agrees or not, and remembers what was said.

    `meanwhile` is called at every look, `asked` before the answer.
    """

    arm: LaunchedArm
    robot: RobotDescription
    ranges: Ranges
    phases: Sequence[dict[str, float]]
    agreeing: bool = True
    meanwhile: Callable[[], None] = lambda: None
    asked: Callable[[], None] = lambda: None
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
            self.meanwhile()
            looks += 1
            if remaining and (self._led(remaining[0]) or looks > _PATIENCE):
                del remaining[0]
                looks = 0
            return bool(remaining)

        yield table

    def agrees(self, question: str) -> bool:
        self.questions.append(question)
        self.asked()
        return self.agreeing

    def saw(self, joint: str, words: str) -> bool:
        raise AssertionError("a virtual arm shows its joints itself")

    def _led(self, pose: dict[str, float]) -> bool:
        """Leads the joints on towards `pose`; True once those have arrived that can."""
        angles = dict(zip(self.robot.names, self.arm.state()["position"], strict=True))
        hands, missing = [], []
        for joint in self.robot.joints:
            at, goal, (lower, upper) = angles[joint.name], pose[joint.name], self.ranges[joint.name]
            hands.append(f"hand ids={joint.id} to={at + min(max(goal - at, -_REACH), _REACH)} for=1")
            missing.append(abs(min(max(goal, lower), upper) - at))
        self.arm.tell("; ".join(hands))
        return max(missing) < 0.02


def _puppeteer(arm: LaunchedArm, robot: RobotDescription, lazy: str | None = None, **more: Any) -> Puppeteer:
    """`lazy`: a joint that is taken only half the way."""
    ranges = joint_ranges(robot)
    rest = {name: (lower + upper) / 2 for name, (lower, upper) in ranges.items()}
    if robot.model is not None:
        rest = dict(zip(robot.names, ArmKinematics(robot.model).rest.tolist(), strict=True))
    ends = {name: (lower - 0.3, upper + 0.3) for name, (lower, upper) in ranges.items()}
    if lazy is not None:
        ends[lazy] = (ends[lazy][0], rest[lazy])
    light = [name for name in robot.names if name not in ("shoulder_lift", "elbow_flex")]
    phases = [rest | {name: ends[name][end] for name in light} for end in (0, 1)]
    for name, aside in (("shoulder_lift", {}), ("elbow_flex", _HELD_ASIDE.get(robot.name, {}))):
        phases += [rest | aside | {name: ends[name][end]} for end in (0, 1)]
    return Puppeteer(arm, robot, ranges, [*phases, rest], **more)
