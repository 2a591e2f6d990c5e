"""What the wire makes of a reply."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from sim.virtual_arm.chain import Reply
from sim.virtual_arm.faults import Fault

Piece = tuple[float, bytes]
"""How late some bytes are [s], and the bytes."""


def disturbed(reply: Reply, faults: Iterable[Fault], random: Random) -> list[Piece]:
    """What arrives of `reply` under the active `faults`, each of which strikes with its probability."""
    data, late, gap = reply.data, 0.0, 0.0
    for fault in faults:
        if not fault.befalls(reply.id) or random.random() >= fault.probability:
            continue
        if fault.kind == "drop":
            return []
        if fault.kind == "late":
            late += fault.value
        elif fault.kind == "split":
            gap = fault.value
        else:
            data = _mangled(data, fault.kind, round(fault.value), random)
    if gap:
        return [(late + place * gap, data[place : place + 1]) for place in range(len(data))]
    return [(late, data)]


def _mangled(data: bytes, kind: str, amount: int, random: Random) -> bytes:
    if kind == "truncate":
        return data[: random.randrange(len(data))] if data else data
    if kind == "double":
        return data + data
    if kind == "chatter":
        return random.randbytes(amount) + data
    if kind == "noise":
        amount = min(amount, len(data))
        begin = random.randrange(len(data) - amount + 1)
        return data[:begin] + random.randbytes(amount) + data[begin + amount :]
    if kind == "flip":
        changed = bytearray(data)
        for bit in random.sample(range(8 * len(data)), min(amount, 8 * len(data))):
            changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)
    raise ValueError(f"{kind} is no fault of a reply")
