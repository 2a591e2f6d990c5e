"""How soon does a fault hold the arm? The host leads a moving arm, and faults of every kind are injected at random.

Faults that the arm is to live with are in the table as well: nothing is to stop there.

    python benchmarks/faults.py [--repeats 3] [--seed 0]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from arms import ROBOTS, described, virtual_arm, write_results

from hardware.host.client import HostClient
from hardware.host.messages import Report
from hardware.identity import calibration_file
from porl_robot.command import Command, CommandSpace, FloatArray
from sim.virtual_arm.launch import LaunchedArm

_BAR = 0.1
_PERIOD = 0.05
_AMPLITUDE, _HZ = 0.3, 0.5  # rad, 1/s: up to 0.94 rad/s
_WATCHED = 1.5
_MOVED = 4
_HOT = 65.0
_STUCK = 1
_WRONG = 0.01  # rad: friction holds a healthy joint of this motion back by .009 at most
_APART = 0.016  # rad: and one that a policy leads by so much, so that no rule can tell less from health


@dataclass(frozen=True)
class Injected:
    """A fault in the virtual arm's words, whether the arm is to live with it, and how much more often it is tried."""

    words: str
    lived_with: bool = False
    times: int = 1


FAULTS = (
    Injected("unplug for=1"),
    Injected("drop p=1"),
    Injected("late p=1 by=0.5"),
    Injected("flip p=1 bits=3"),
    Injected("noise p=1 bytes=8"),
    Injected("dead ids=3"),
    Injected("duplicate ids=2,3"),
    Injected("brownout for=0.3"),
    Injected("stuck ids=2", times=4),
    Injected("overload ids=3"),
    Injected("overheat ids=2"),
    Injected("echo", lived_with=True),
    Injected("double p=1", lived_with=True),
    Injected("drop p=0.05", lived_with=True),
    Injected("flip p=0.05", lived_with=True),
)

_State = dict[str, Any]


def _gone(before: _State, now: _State) -> float:
    return float(abs(now["position"][_STUCK] - before["position"][_STUCK]))


_COMES_LATER: dict[str, Callable[[_State, _State], bool]] = {
    "overheat": lambda before, now: bool(max(now["temperature"]) >= _HOT),
    "stuck": lambda before, now: _gone(before, now) > _WRONG,
}


class _Led:
    """A host that leads the first joints along a sine around where the arm stood."""

    def __init__(self, virtual: LaunchedArm, protocol: str) -> None:
        robot = described(protocol, virtual.link)
        self._host = HostClient(robot, calibration_file(str(virtual.link)))
        self._host.torque_on(1.0)
        self._rest = np.array(self._host.report().commanded)
        self._begun = self._sent = time.monotonic()
        self.last_goal, self.goal_moved = self._rest, self._begun

    def close(self) -> None:
        self._host.close()

    def go_on(self, until: float) -> Report:
        """Leads, and watches, until wall time `until` or a fault; the last report."""
        while True:
            now = time.monotonic()
            if now >= self._sent + _PERIOD:
                self._sent = now
                self._lead(now - self._begun)
            report = self._host.report()
            goal = np.array(report.commanded)
            if not np.array_equal(goal, self.last_goal):
                self.last_goal, self.goal_moved = goal, now
            if report.fault is not None or now >= until:
                return report
            time.sleep(0.001)

    def come_to_rest(self) -> None:
        """Watches the goals of an arm with a fault."""
        until = time.monotonic() + 0.5
        while (now := time.monotonic()) < until:
            goal = np.array(self._host.report().commanded)
            if not np.array_equal(goal, self.last_goal):
                self.last_goal, self.goal_moved = goal, now
            time.sleep(0.001)

    def _lead(self, seconds: float) -> None:
        rate = 2 * np.pi * _HZ
        wave, slope = np.sin(rate * seconds), rate * np.cos(rate * seconds)
        values, velocity = self._rest.copy(), np.zeros_like(self._rest)
        values[:_MOVED] += _AMPLITUDE * wave
        velocity[:_MOVED] = _AMPLITUDE * slope
        zeros: FloatArray = np.zeros_like(values)
        self._host.follow(Command(CommandSpace.JOINT_TARGET, values, velocity, zeros), _PERIOD)


def inject(protocol: str, fault: Injected, seed: int) -> dict[str, float | str | None]:
    """One fault on a fresh arm: seconds until the hold, until it was told, until goals rested; or None.

    They count from where the fault has an effect. `injected`: until it was told from its injection on. `wrong`: how far
    from where it stuck the joint was by then [rad]. `apart`: until the hold from where that was more than `_APART`.
    """
    random = np.random.default_rng(seed)
    with virtual_arm(protocol, seed=seed) as (virtual, _):
        led = _Led(virtual, protocol)
        try:
            led.go_on(time.monotonic() + random.uniform(1.0, 3.0))
            virtual.tell(fault.words)
            injected, before = time.monotonic(), virtual.state()
            begun = _effect(led, virtual, fault, injected, before)
            apart = begun
            if fault.words.startswith("stuck"):
                apart = _moment(led, lambda: _gone(before, virtual.state()) > _APART)
            report = led.go_on(begun + _WATCHED)
            if report.fault is None:
                return dict.fromkeys(("hold", "told", "rest", "injected", "wrong", "apart", "kind"))
            now, wrong = time.monotonic(), _gone(before, virtual.state())
            led.come_to_rest()
        finally:
            led.close()
    told, rest = now - begun, max(led.goal_moved - begun, 0.0)
    # Where servos are not heard, the goal stays from the first missed cycle on; else the arm brakes once it is told.
    times = {"hold": min(told, rest), "told": told, "rest": rest, "injected": now - injected}
    return {**times, "wrong": wrong, "apart": max(times["hold"] - (apart - begun), 0.0), "kind": report.fault.kind}


def _effect(led: _Led, virtual: LaunchedArm, fault: Injected, injected: float, before: _State) -> float:
    """The moment from which a fault is one: a servo is too hot, or an encoder wrong."""
    has_come = _COMES_LATER.get(fault.words.split()[0])
    return injected if has_come is None else _moment(led, lambda: has_come(before, virtual.state()))


def _moment(led: _Led, has_come: Callable[[], bool]) -> float:
    """When something has come, or a fault was told before."""
    while not has_come():
        if led.go_on(time.monotonic() + 0.002).fault is not None:
            break
    return time.monotonic()


def main() -> None:
    """Injects all of them, prints a table and writes `benchmarks/results/faults.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("hold: the goals go nowhere but to rest; told: the host says so; rest: the last goal was sent. Largest, ms,")
    print(f"since the injection, or since a servo was at {_HOT:.0f} deg C, or an encoder {_WRONG} rad wrong.")
    print("injected: told, since the injection")
    print(f"{'protocol':10} {'fault':18} {'told as':20} {'hold':>6} {'told':>6} {'rest':>6} {'injected':>8}")
    table: list[dict[str, Any]] = []
    for protocol in ROBOTS:
        for fault in FAULTS:
            found = [inject(protocol, fault, given.seed + k) for k in range(fault.times * given.repeats)]
            table.append({"protocol": protocol, "fault": fault.words, "lived_with": fault.lived_with, "runs": found})
            print(_row(table[-1]), flush=True)
    write_results("faults", given.seed, {"bar_s": _BAR, "rows": table})


def _row(row: dict[str, Any]) -> str:
    runs = [run for run in row["runs"] if run["told"] is not None]
    head = f"{row['protocol']:10} {row['fault']:18} "
    kinds = ", ".join(sorted({run["kind"] for run in runs}))
    if row["lived_with"]:
        return f"{head}{kinds or 'nothing':20} stopped {len(runs)} of {len(row['runs'])}"
    if len(runs) < len(row["runs"]):
        return f"{head}{kinds:20} unanswered in {len(row['runs']) - len(runs)} of {len(row['runs'])}"
    hold, told, rest, injected = (1e3 * max(run[name] for run in runs) for name in ("hold", "told", "rest", "injected"))
    verdict = "ok" if hold <= 1e3 * _BAR else "MISS"
    shown = f"{head}{kinds:20} {hold:6.0f} {told:6.0f} {rest:6.0f} {injected:8.0f} {verdict}"
    if row["fault"].startswith("stuck"):
        shown += f", {max(run['wrong'] for run in runs):.3f} rad from where it stuck; from {_APART} rad on "
        shown += f"{1e3 * max(run['apart'] for run in runs):.0f} ms"
    return shown


if __name__ == "__main__":
    main()
