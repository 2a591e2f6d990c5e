"""A port that cannot be opened says why, and what helps, in one line."""

from __future__ import annotations

import grp
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardware.errors import HardwareError
from hardware.port import open_port, set_low_latency, usb_ports
from hardware.port_guard import PortGuard, holders
from hardware.transport import Transport

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
import tempfile
from hardware.transport import Transport
with Transport(sys.argv[1], 1_000_000):
    print("open", flush=True)
    sys.stdin.read()
"""
NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may open everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    near, far = pty.openpty()
    link = tmp_path / "arm"
    link.symlink_to(os.ttyname(far))
    yield str(link)
    os.close(near)
    os.close(far)


def refusal(port: str, baud: int = 1_000_000) -> str:
    with pytest.raises(HardwareError) as error:
        open_port(port, baud)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_such_port_lists_those_that_are_there() -> None:
    said = refusal("/dev/ttyUSB99")
    assert said.startswith("/dev/ttyUSB99: no such port; there ")
    assert all(each.device in said for each in usb_ports())


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert "not a serial port" in refusal(str(tmp_path / "notes.txt"))
    assert "not a serial port" in refusal(str(tmp_path))


@pytest.mark.parametrize("baud", [-1, 10**12])
def test_a_baud_that_no_driver_takes(port: str, baud: int) -> None:
    assert f"refuses {baud} baud" in refusal(port, baud)


def test_a_busy_port_names_its_holder(port: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, port],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None and holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    for attempt in (lambda: Transport(port, 1_000_000), lambda: open_port(port, 1_000_000)):
        with pytest.raises(HardwareError, match=f"in use by process {holder.pid} .*python.*; end that first"):
            attempt()
    holder.kill()
    holder.wait()
    Transport(port, 1_000_000).close()


def test_the_far_end_of_a_pseudo_terminal_is_no_holder(port: str) -> None:
    # This process keeps both ends open, as a virtual arm does.
    assert holders(port) == []


def test_permission_denied_prints_the_remedy(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Path(port).resolve()
    device.chmod(0)
    owner = device.stat().st_gid
    group = grp.getgrgid(owner).gr_name if owner else "dialout"  # nobody is to join root's
    monkeypatch.setenv("USER", "operator")
    with as_nobody():
        said = refusal(str(device))
    assert f"{device}: permission denied; 'sudo usermod -aG {group} operator'" in said
    assert "docs/hardware.md" in said


def test_a_port_without_a_latency_timer(port: str) -> None:
    opened = open_port(port, 1_000_000)
    assert set_low_latency(opened) == 0.001
    opened.close()


def lock_of(device: str) -> Path:
    return Path(tempfile.gettempdir()) / f"porl-robot-{device.strip('/').replace('/', '-')}.lock"


def test_the_next_user_can_ask_for_a_port_whatever_the_umask_of_this_one(port: str) -> None:
    device = str(Path(port).resolve())
    lock = lock_of(device)
    lock.unlink(missing_ok=True)
    before = os.umask(0o077)
    try:
        PortGuard(device).release()
    finally:
        os.umask(before)
    assert lock.stat().st_mode & 0o777 == 0o644
    with as_nobody():
        PortGuard(device).release()


def test_a_lock_that_cannot_be_opened_is_named(port: str) -> None:
    device = str(Path(port).resolve())
    lock = lock_of(device)
    PortGuard(device).release()
    lock.chmod(0)
    try:
        with as_nobody(), pytest.raises(HardwareError, match=rf"{lock}: .* cannot be opened .*; delete it"):
            PortGuard(device)
    finally:
        lock.unlink()
