"""Leaving every servo safe, whatever the others answer."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from hardware.arm.joint import Joint
from hardware.bus import Bus
from hardware.description import EndState
from hardware.errors import HardwareError

_TRIES = 2


def safe_stop(bus: Bus, joints: Sequence[Joint], end_state: EndState, goals: Mapping[int, int]) -> dict[str, str]:
    """Brings every servo into `end_state`: all at once, which needs no answer, then one by one, read back.

    It tries every servo, twice where it has to, and never raises. It turns no torque on.

    Args:
        goals: by id, where a servo that holds is to stand [ticks].

    Returns:
        What could not be confirmed, by joint; empty where all is well.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(HardwareError):
            _all_at_once(bus, end_state, goals)
            break
    register = "goal_position" if end_state == "hold" else "torque_enable"
    unsafe = {}
    for joint in joints:
        wanted = goals[joint.id] if end_state == "hold" else 0
        refusal = bring(bus, joint, register, wanted)
        if refusal is not None:
            unsafe[joint.name] = refusal
    return unsafe


def _all_at_once(bus: Bus, end_state: EndState, goals: Mapping[int, int]) -> None:
    if end_state == "hold":
        bus.sync_write("goal_position", dict(goals))
    else:
        bus.torque_off_all()


def bring(bus: Bus, joint: Joint, register: str, wanted: int) -> str | None:
    """Writes `wanted`, twice where it has to; why `joint` could not be confirmed to have it in `register`, or None."""
    refusal: str | None = None
    for _ in range(_TRIES):
        with contextlib.suppress(HardwareError):
            bus.write(joint.id, register, wanted)
        try:
            found = bus.read(joint.id, register)
        except HardwareError as error:
            refusal = str(error)
            continue
        if found == wanted:
            return None
        refusal = f"{register} is {found}, {wanted} was written"
    return refusal
