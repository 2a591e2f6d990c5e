"""One entry of a servo's memory table, and the bytes it is made of."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ByteOrder = Literal["little", "big"]
Sign = int | Literal["twos_complement"] | None
"""How a negative number is written: by a sign bit at this position (sign-magnitude), in two's complement, or never."""


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of a memory table.

    Attributes:
        name: common to both families where the meaning is.
        address, size: [bytes].
        writable: by the bus; the servo refuses or ignores a write otherwise.
        eprom: kept without power, guarded by `ServoModel.eprom_guard`.
        sign: how negative numbers are written.
        scale, unit: one count is `scale` of `unit`; the unit is empty for codes, flags and unitless numbers.
        default: in a servo as it comes (EPROM) or after power-up (RAM); None where it is not known or not fixed.
        lowest, highest: what the servo takes; None where it is not known or depends on other registers.
    """

    name: str
    address: int
    size: int
    writable: bool
    eprom: bool
    sign: Sign = None
    scale: float = 1.0
    unit: str = ""
    default: int | None = None
    lowest: int | None = None
    highest: int | None = None

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size

    @property
    def takes(self) -> tuple[int, int]:
        """The smallest and the largest number to write to it: what it is known to take, or what its bytes hold."""
        lowest, highest = self._span()
        return lowest if self.lowest is None else self.lowest, highest if self.highest is None else self.highest

    def encode(self, value: int, order: ByteOrder) -> bytes:
        """The bytes that stand for `value`, shape (size,).

        Raises:
            ValueError: they are too few for it.
        """
        lowest, highest = self._span()
        if not lowest <= value <= highest:
            raise ValueError(f"{self.name}: {value} does not fit; expected {lowest} to {highest}")
        if isinstance(self.sign, int):
            value = abs(value) | (1 << self.sign if value < 0 else 0)
        return value.to_bytes(self.size, order, signed=self.sign == "twos_complement")

    def decode(self, data: bytes, order: ByteOrder) -> int:
        """The number that `data`, shape (size,), stands for. With a sign bit, bits above it are ignored."""
        raw = int.from_bytes(data, order, signed=self.sign == "twos_complement")
        return _signed(raw, self.sign) if isinstance(self.sign, int) else raw

    def _span(self) -> tuple[int, int]:
        if self.sign is None:
            return 0, (1 << 8 * self.size) - 1
        if self.sign == "twos_complement":
            half = 1 << 8 * self.size - 1
            return -half, half - 1
        largest = (1 << self.sign) - 1
        return -largest, largest


class Span:
    """Registers that follow one another, decoded together: a control loop does so for every servo in every cycle.

    Attributes:
        registers: in the order of their addresses.
        begin, end: address of the first, and the one behind the last.
    """

    def __init__(self, registers: tuple[Register, ...], order: ByteOrder) -> None:
        self.registers = registers
        self.begin, self.end = registers[0].address, registers[-1].end
        self._names = tuple(each.name for each in registers)
        self._sign_bits = tuple((each.name, each.sign) for each in registers if isinstance(each.sign, int))
        self._words = struct.Struct({"little": "<", "big": ">"}[order] + "".join(self._formats()))

    def decode(self, data: bytes) -> dict[str, int]:
        """Values by name; `data` has shape (end - begin,)."""
        values: dict[str, int] = dict(zip(self._names, self._words.unpack(data), strict=True))
        for name, bit in self._sign_bits:
            values[name] = _signed(values[name], bit)
        return values

    def _formats(self) -> Iterator[str]:
        at = self.begin
        for each in self.registers:
            letter = {1: "B", 2: "H", 4: "I"}[each.size]
            yield f"{each.address - at}x" + (letter.lower() if each.sign == "twos_complement" else letter)
            at = each.end


def _signed(raw: int, bit: int) -> int:
    magnitude = raw & ((1 << bit) - 1)
    return -magnitude if raw >> bit & 1 else magnitude
