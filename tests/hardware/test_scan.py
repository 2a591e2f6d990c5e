"""Who is there, at which baud, and which ids are taken twice."""

from __future__ import annotations

import os
import termios
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hardware.scan
from hardware.errors import HardwareError
from hardware.manifest import Manifest
from hardware.scan import Finding, ports_to_scan, scan_port
from hardware.servos import SERVOS
from porl_robot.cli import run

MILLION = termios.B1000000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servos here answer a broadcast at once."""
    monkeypatch.setattr("hardware.scan.ANSWER_SPACING", 0.00005)


def found(port: str) -> list[Finding]:
    return list(scan_port(port, ""))


def test_feetech_servos_are_found(serve: Callable[..., Any]) -> None:
    server = serve({1: SERVOS["STS3215"], 4: SERVOS["STS3215"], 9: SERVOS["STS3250"]})
    server.speed = termios.B500000
    for id in server.servos:
        server.set(id, "firmware_major", 3)
        server.set(id, "firmware_minor", 10)
        server.set(id, "present_voltage", 121)
    expected = Finding(server.port, "", "feetech", 500_000, 1, "STS3215", "3.10", pytest.approx(12.1))
    one, other, third = found(server.port)
    assert one == expected
    assert (other.id, third.id, third.model) == (4, 9, "STS3250")


def test_dynamixel_servos_are_found_at_their_factory_baud(serve: Callable[..., Any]) -> None:
    server = serve({1: SERVOS["XL330-M288"], 200: SERVOS["XM430"]})
    server.speed = termios.B57600
    for id in server.servos:
        server.set(id, "firmware_version", 52)
        server.set(id, "present_voltage", 50)
    one, other = found(server.port)
    assert one == Finding(server.port, "", "dynamixel", 57_600, 1, "XL330-M288", "52", 5.0)
    assert (other.id, other.model) == (200, "XM430")


def test_a_model_that_we_do_not_know_is_named_by_its_number(serve: Callable[..., Any]) -> None:
    server = serve({3: SERVOS["STS3215"]})
    server.speed = MILLION
    server.set(3, "model_number", 4711)
    (finding,) = found(server.port)
    assert finding.model == "4711" and finding.problem == "model 4711 is none that we know"


def test_two_servos_that_answer_one_after_the_other(serve: Callable[..., Any]) -> None:
    server = serve({2: SERVOS["STS3215"]})
    server.speed = MILLION
    server.tamper = lambda request, replies: [(0.0, b"".join(replies) * 2)]
    (finding,) = found(server.port)
    assert finding.id == 2 and finding.problem.startswith("several servos answer to id 2; connect them one at a time")


@pytest.mark.parametrize("servo", ["STS3215", "XL330-M288"])
def test_two_servos_that_answer_at_once(serve: Callable[..., Any], servo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {name: replace(protocol, largest_id=20) for name, protocol in hardware.scan._PROTOCOLS.items()}
    monkeypatch.setattr("hardware.scan._PROTOCOLS", fewer)
    server = serve({2: SERVOS[servo], 5: SERVOS[servo]})
    server.speed = MILLION

    def collide(request: bytes, replies: list[bytes]) -> list[tuple[float, bytes]]:
        at = 2 if servo == "STS3215" else 4
        mixed = [bytes(b for pair in zip(r, r, strict=True) for b in pair) if r[at] == 2 else r for r in replies]
        return [(0.0, b"".join(mixed))]

    server.tamper = collide
    garbled, fine = found(server.port)
    assert (garbled.id, garbled.model) == (2, "?") and "answers to id 2 are garbled" in garbled.problem
    assert (fine.id, fine.model, fine.problem) == (5, servo, "")


def test_a_virtual_arm_is_known_by_its_manifest(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve({1: SERVOS["STS3215"]})
    link = tmp_path / "arm"
    link.symlink_to(server.port)
    Manifest(os.getpid(), "VIRTUAL-1", "so101", 1.0, "x.json").write(link)
    assert ports_to_scan(str(link)) == [(str(link), "VIRTUAL-1")]
    assert ports_to_scan(server.port) == [(server.port, "")]


def test_the_verb_prints_a_table(serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    server = serve({1: SERVOS["STS3215"], 2: SERVOS["STS3215"]})
    server.speed = MILLION
    server.set(2, "present_voltage", 74)
    assert run(["scan", f"port={server.port}"]) == 0
    head, one, two = capsys.readouterr().out.splitlines()
    assert head.split() == ["port", "usb", "serial", "protocol", "baud", "id", "model", "firmware", "voltage"]
    assert one.split() == [server.port, "-", "feetech", "1000000", "1", "STS3215", "0.0", "0.0", "V"]
    assert two.split()[-2:] == ["7.4", "V"]


def test_nobody_answers(serve: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    server = serve({1: SERVOS["STS3215"]})
    server.dead.add(1)
    assert run(["scan", f"port={server.port}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and f"{server.port}: no servo answers in any protocol at any baud; check" in lines[1]


@pytest.mark.parametrize("argument", ["/dev/ttyUSB0", "port=", "baud=9600", "x y"])
def test_wrong_usage(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", argument]) == 2
    assert f"cannot make sense of {argument}; expected scan [port=PATH]" in capsys.readouterr().err


def test_no_such_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "port=/dev/ttyUSB99"]) == 1
    assert "/dev/ttyUSB99: no such port" in capsys.readouterr().out


def test_without_any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardware.scan.usb_ports", list)
    with pytest.raises(HardwareError, match="no USB serial port: plug the adapter in, or give another port as port="):
        ports_to_scan(None)
