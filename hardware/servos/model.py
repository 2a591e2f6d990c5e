"""A kind of servo: its memory table, and how the table is read from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

from hardware.servos.register import ByteOrder, Register, Sign, Span

DRIVE_LIMITS: Mapping[str, tuple[str, str]] = {
    "feetech": ("torque_limit", "max_torque"),
    "dynamixel": ("goal_pwm", "pwm_limit"),
}
"""By protocol, the register in RAM that limits what the motor is given, and the one with its full value."""


@dataclass(frozen=True)
class ServoModel:
    """A kind of servo.

    Attributes:
        name: as in `JointDescription.servo`.
        number: what the servo reports as its model.
        protocol: its wire protocol.
        order: of the bytes of a word.
        resolution: positions per turn.
        registers: by name, in the order of their addresses.
        bauds: bits per second by the code in `baud_rate`.
        faults: names of the bits of `status`.
        eprom_guard: the register that guards the EPROM. Dynamixel refuses a write while it is not 0
            (error 7); Feetech takes one, but loses it with the power.
        acknowledging: the `status_level` at which a write is answered.
        has_sync_read, has_fast_sync_read: whether it knows these instructions.
        has_readable_gaps: whether addresses between its registers can be read. Feetech's can; the usual telemetry
            block holds two. Of Dynamixel's it is not known.
        has_watchdog: whether the servo itself stops when the bus falls silent.
    """

    name: str
    number: int
    protocol: Literal["feetech", "dynamixel"]
    order: ByteOrder
    resolution: int
    registers: Mapping[str, Register]
    bauds: Mapping[int, int]
    faults: Mapping[int, str]
    eprom_guard: str
    acknowledging: int
    has_sync_read: bool = True
    has_fast_sync_read: bool = False
    has_readable_gaps: bool = False
    has_watchdog: bool = False

    @cached_property
    def memory_size(self) -> int:
        """Bytes from address 0 to the end of the last register."""
        return max(register.end for register in self.registers.values())

    @cached_property
    def readable(self) -> frozenset[int]:
        """Every address that can be read."""
        if self.has_readable_gaps:
            return frozenset(range(self.memory_size))
        return frozenset(at for each in self.registers.values() for at in range(each.address, each.end))

    def span(self, first: str, last: str) -> Span:
        """The registers from `first` to `last`, in the order of their addresses.

        Raises:
            KeyError: it has no such register.
            ValueError: `last` lies before `first`.
        """
        begin, end = self.registers[first].address, self.registers[last].end
        if begin >= end:
            raise ValueError(f"{self.name}: {last} lies before {first}")
        return Span(tuple(each for each in self.registers.values() if begin <= each.address < end), self.order)

    def factory_memory(self) -> bytearray:
        """The whole memory of a new servo after power-up, shape (memory_size,); 0 where the default is not known."""
        memory = bytearray(self.memory_size)
        for each in self.registers.values():
            memory[each.address : each.end] = each.encode(each.default or 0, self.order)
        return memory

    def fault_names(self, bits: int) -> tuple[str, ...]:
        """What the bits of `status` say; unknown bits by their value."""
        return tuple(self.faults.get(1 << k, f"bit {k}") for k in range(bits.bit_length()) if bits >> k & 1)


def parse_table(text: str, defaults: Mapping[str, int] | None = None) -> dict[str, Register]:
    """Registers by name from lines `name address size access area sign scale*unit default [lowest..highest]`.

    access is `r` or `rw`; area is `eprom` or `ram`; sign is `-`, `2c` (two's complement) or `bN` (sign bit N);
    `?` and `-` as default mean that it is not known, or that there is none. `defaults` replaces those in the text.

    Raises:
        ValueError: two registers share a name or a byte, or `defaults` names one that is not there.
    """
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    registers = [_parse_line(fields) for fields in lines]
    table = {each.name: each for each in sorted(registers, key=lambda each: each.address)}
    if len(table) < len(registers):
        raise ValueError("two registers have the same name")
    unknown = set(defaults or {}) - set(table)
    if unknown:
        raise ValueError(f"defaults for {sorted(unknown)}, which are not in the table")
    for one, other in pairwise(table.values()):
        if one.end > other.address:
            raise ValueError(f"{one.name} and {other.name} overlap")
    return {name: replace(each, default=(defaults or {}).get(name, each.default)) for name, each in table.items()}


def _parse_line(fields: list[str]) -> Register:
    name, address, size, access, area, sign, unit, default, *span = fields
    scale, _, symbol = unit.rpartition("*")
    lowest, highest = (int(each) for each in span[0].split("..")) if span else (None, None)
    return Register(
        name=name,
        address=int(address),
        size=int(size),
        writable={"r": False, "rw": True}[access],
        eprom={"eprom": True, "ram": False}[area],
        sign=_parse_sign(sign),
        scale=float(scale or 1.0),
        unit="" if symbol == "-" else symbol,
        default=None if default in ("?", "-") else int(default),
        lowest=lowest,
        highest=highest,
    )


def _parse_sign(text: str) -> Sign:
    if text == "-":
        return None
    return "twos_complement" if text == "2c" else int(text.removeprefix("b"))
