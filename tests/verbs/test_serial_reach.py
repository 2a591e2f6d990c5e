"""The verbs on an arm behind a port: they run to the end, and a fault in the middle loses nothing and moves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from porl_robot.replay.log import read_log
from sim.virtual_arm.launch import LaunchedArm

SCALE = 2
pytestmark = pytest.mark.slow


@pytest.fixture
def virtual(tmp_path: Path) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path / "arm", time_scale=SCALE) as arm:
        yield arm


def collecting(virtual: LaunchedArm, out: Path, episodes: int) -> subprocess.Popen[str]:
    arm = [f"robot.port={virtual.link}", f"robot.time_scale={SCALE}", "robot=so101"]
    command = [sys.executable, "-m", "porl_robot", "collect", "env=serial_reach", *arm, f"episodes={episodes}"]
    return subprocess.Popen(
        [*command, f"out={out}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_demonstrations_are_collected(virtual: LaunchedArm, tmp_path: Path) -> None:
    process = collecting(virtual, tmp_path / "out", 3)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["env"] == "serial_reach" and summary["episodes"] == 3 and summary["success"] >= 2 / 3
    assert all(virtual.state()["driven"])


@pytest.mark.parametrize(
    ("faults", "words", "driven"),
    [
        ("brownout", "check the supply", False),
        ("unplug for=1", "disconnected", True),
        ("overload ids=3 for=60", "elbow_flex has given 100 % of its drive", True),
    ],
)
def test_a_fault_ends_the_run_and_leaves_a_whole_log(
    virtual: LaunchedArm, tmp_path: Path, faults: str, words: str, driven: bool
) -> None:
    process = collecting(virtual, tmp_path / "out", 50)
    while not (tmp_path / "out" / "journal").exists() or max(map(abs, virtual.state()["velocity"])) < 0.3:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(3.0)
    virtual.tell(faults)
    said, _ = process.communicate(timeout=60)
    last = said.strip().splitlines()[-1]
    assert process.returncode == 1 and words in last and "start again" in last
    log = read_log(tmp_path / "out")
    assert log.episodes >= 1 and log.rows >= 10
    time.sleep(0.5)
    assert virtual.state()["driven"] == [driven] * 6
