"""Looks into the log of a run: `log info PATH`, `log verify PATH`, `log repair PATH`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from porl_robot.errors import UsageError
from porl_robot.replay.log import log_info
from porl_robot.replay.repair import repair_log
from porl_robot.replay.verify import verify_log


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; expected log info|verify|repair PATH")


def run(arguments: list[str]) -> int:
    """`info` prints what the log holds, `verify` its problems (exit 1 if any), `repair` mends what a crash left
    (exit 1 where problems remain)."""
    parser = _Parser("porl-robot log", description=__doc__)
    parser.add_argument("what", choices=("info", "verify", "repair"))
    parser.add_argument("path", type=Path, help="the out folder of a run")
    given = parser.parse_args(arguments)
    if given.what == "info":
        for key, value in asdict(log_info(given.path)).items():
            print(f"{key:22} {value}")
        return 0
    lines = verify_log(given.path) if given.what == "verify" else repair_log(given.path)
    for line in lines:
        print(line)
    if given.what == "verify":
        print(f"{given.path}: {len(lines) or 'no'} {'problem' if len(lines) == 1 else 'problems'}")
        return 1 if lines else 0
    print(f"{given.path}: {'repaired' if lines else 'nothing to repair'}")
    left = verify_log(given.path)
    for line in left:
        print(f"cannot be repaired: {line}")
    return 1 if left else 0
