"""Which arm is at a port."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from hardware import identity
from hardware.errors import HardwareError
from hardware.identity import calibration_file, serial_number
from hardware.manifest import Manifest
from porl_robot.paths import data_dir


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Path]:
    """A link to a pseudo-terminal."""
    master, slave = pty.openpty()
    link = tmp_path / "arm"
    link.symlink_to(os.ttyname(slave))
    yield link
    os.close(master)
    os.close(slave)


def test_a_virtual_arm_says_who_it_is_and_what_holds_for_it(port: Path) -> None:
    Manifest(os.getpid(), "virtual-so101", "so101", 1.0, "/somewhere/calibration.json").write(port)
    assert serial_number(str(port)) == "virtual-so101"
    assert calibration_file(str(port)) == Path("/somewhere/calibration.json")


@pytest.mark.parametrize(("number", "known"), [("5A46/0832 45", "5A46-0832-45"), (None, "socket-1-2.3")])
def test_an_adapter_is_known_by_its_number_or_its_socket(
    port: Path, monkeypatch: pytest.MonkeyPatch, number: str | None, known: str
) -> None:
    """No USB adapter is at hand: what the system would list of one is given instead."""
    listed = ListPortInfo(str(port.resolve()))
    listed.serial_number, listed.location = number, "1-2.3"
    monkeypatch.setattr(identity, "usb_ports", lambda: [listed])
    assert serial_number(str(port)) == known
    assert calibration_file(str(port)) == data_dir("calibration") / f"{known}.json"


def test_a_port_of_the_board_is_known_by_its_name(port: Path) -> None:
    assert serial_number(str(port)) == port.resolve().name


def test_a_port_that_is_not_there_is_no_arm(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="none: no such port"):
        serial_number(str(tmp_path / "none"))
