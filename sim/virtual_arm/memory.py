"""A servo's memory: registers at addresses, of which the EPROM outlives the power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hardware.servos import Register, ServoModel

RAM_RESTORE = 0x02
"""Bit of a Dynamixel's `startup_configuration`: gains that were backed up return at power-up."""


class Memory:
    """The registers of one servo by name, and the bytes they are made of.

    Args:
        model: whose table it has.
        kept: values that differ from the factory's, of EPROM registers and of others that were backed up.
    """

    def __init__(self, model: ServoModel, kept: Mapping[str, int]) -> None:
        self.model = model
        self.kept = dict(kept)
        self._data = model.factory_memory()
        self._values: dict[str, int] = {}  # decoded; the drive asks for them thousands of times per second
        self._at = _owners(model)
        self.power_up()

    def __contains__(self, name: str) -> bool:
        return name in self.model.registers

    def __getitem__(self, name: str) -> int:
        value = self._values.get(name)
        if value is None:
            register = self.model.registers[name]
            value = register.decode(bytes(self._data[register.address : register.end]), self.model.order)
            self._values[name] = value
        return value

    def __setitem__(self, name: str, value: int) -> None:
        """Raises ValueError where the register is too small for `value`."""
        if self._values.get(name) != value:
            register = self.model.registers[name]
            self._data[register.address : register.end] = register.encode(value, self.model.order)
            self._values[name] = value

    def put(self, name: str, quantity: float) -> None:
        """Sets a register from a quantity in its unit, at the end of its span where it is too small."""
        register = self.model.registers[name]
        span = (1 << (register.sign if isinstance(register.sign, int) else 8 * register.size - bool(register.sign))) - 1
        count = round(quantity / register.scale)
        self[name] = min(max(count, -span if register.sign is not None else 0), span)

    def quantity(self, name: str) -> float:
        """A register in its unit."""
        return self[name] * self.model.registers[name].scale

    def read(self, address: int, length: int) -> bytes:
        """So many bytes; 0 where there is nothing."""
        return bytes(self._data[address : address + length]).ljust(length, b"\0")

    def write(self, address: int, data: bytes) -> list[Register]:
        """Changes the writable ones of the bytes from `address` on; returns the registers that were touched."""
        touched: dict[str, Register] = {}
        for at, byte in enumerate(data, address):
            register = self._at.get(at)
            if register is not None and register.writable:
                self._data[at] = byte
                touched[register.name] = register
                self._values.pop(register.name, None)
        return list(touched.values())

    def register_at(self, address: int) -> Register | None:
        """The register that this byte belongs to."""
        return self._at.get(address)

    def keep(self, name: str) -> None:
        """Puts what a register holds where it outlives the power."""
        self.kept[name] = self[name]

    def power_up(self) -> None:
        """What there is after power-up: the factory's values and over them what was kept."""
        self._data[:] = self.model.factory_memory()
        self._values.clear()
        restores_ram = self.kept.get("startup_configuration", 0) & RAM_RESTORE
        for name, value in self.kept.items():
            if self.model.registers[name].eprom or restores_ram:
                self[name] = value

    def forget(self, spared: Iterable[str]) -> None:
        """Makes the EPROM the factory's, all but the registers `spared` and those nobody can write."""
        registers = self.model.registers
        self.kept = {n: v for n, v in self.kept.items() if n in spared or not registers[n].writable}


def _owners(model: ServoModel) -> dict[int, Register]:
    return {at: each for each in model.registers.values() for at in range(each.address, each.end)}
