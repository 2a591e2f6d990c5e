"""Finds the servos on serial ports: `scan`, or `scan port=PATH` for one port."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, NoReturn

from porl_robot.errors import UsageError, UserError

_COLUMNS = "{:20} {:20} {:10} {:>8} {:>4}  {:12} {:9} {:>8} {}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; expected scan [port=PATH]")


def run(arguments: list[str]) -> int:
    """Prints every servo as it is found and writes nothing to any. Exit 1 where there is none or one has a problem."""
    parser = _Parser("porl-robot scan", description=__doc__)
    parser.add_argument("port", nargs="?", metavar="port=PATH", help="one port; without it, all that are behind USB")
    given = parser.parse_args(arguments).port
    key, _, path = (given or "port=").partition("=")
    if key != "port" or (given and not path):
        parser.error(f"cannot make sense of {given}")
    room = importlib.import_module("hardware.scan")
    ports = room.ports_to_scan(path or None)
    _print("port", "usb serial", "protocol", "baud", "id", "model", "firmware", "voltage", "")
    outcomes = [_scan(room.scan_port(port, usb_serial), port) for port, usb_serial in ports]
    return 0 if all(outcomes) else 1


def _scan(findings: Any, port: str) -> bool:
    """Prints what is found on one port; whether there are servos and all is well with them."""
    found, well = False, True
    try:
        for each in findings:
            found, well = True, well and not each.problem
            voltage = "" if each.voltage is None else f"{each.voltage:.1f} V"
            where = (each.port, each.usb_serial or "-", each.protocol, each.baud, each.id)
            _print(*where, each.model, each.firmware, voltage, each.problem)
    except UserError as error:
        print(error)
        return False
    if not found:
        print(
            f"{port}: no servo answers in any protocol at any baud; check that the servos have a supply of their own "
            "and that data and ground reach the first of them"
        )
    return found and well


def _print(*columns: object) -> None:
    print(_COLUMNS.format(*columns).rstrip(), flush=True)
