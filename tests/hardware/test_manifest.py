"""Only a live virtual arm on a pseudo-terminal counts as one."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from hardware.clock import Clock
from hardware.manifest import Manifest, read_manifest, remove_manifest


def test_a_live_arm_on_a_pseudo_terminal_is_known(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    link = tmp_path / "arm"
    link.symlink_to(os.ttyname(slave))
    written = Manifest(os.getpid(), "VIRTUAL", "so101", 2.0, "calibration.json")
    written.write(link)
    assert read_manifest(str(link)) == written
    remove_manifest(link)
    remove_manifest(link)
    assert read_manifest(str(link)) is None
    os.close(master)
    os.close(slave)


def test_a_manifest_beside_anything_else_is_ignored(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    Manifest(os.getpid(), "VIRTUAL", "so101", 1.0, "calibration.json").write(port)
    assert read_manifest(str(port)) is None


def test_the_manifest_of_an_arm_that_has_ended_is_ignored(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    link = tmp_path / "arm"
    link.symlink_to(os.ttyname(slave))
    Manifest(2**22 + 1, "VIRTUAL", "so101", 1.0, "calibration.json").write(link)
    assert read_manifest(str(link)) is None
    os.close(master)
    os.close(slave)


def test_arm_time_runs_faster_and_waits_shorter() -> None:
    clock = Clock(50.0)
    begun = clock.now()
    clock.sleep_until(begun + 1.0)
    passed = clock.now() - begun
    assert 1.0 <= passed < 40.0
    assert clock.real(1.0) == 0.02
