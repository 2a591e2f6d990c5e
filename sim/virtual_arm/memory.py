"""A servo's memory: registers at addresses, of which the EPROM outlives the power."""

from __future__ import annotations

from collections.abc import Mapping

from hardware.servos import Register, ServoModel


class Memory:
    """The registers of one servo by name, and the bytes they are made of.

    Args:
        model: whose table it has.
        eprom: values of EPROM registers that differ from the factory's.
    """

    def __init__(self, model: ServoModel, eprom: Mapping[str, int]) -> None:
        self.model = model
        self.saved = {each.name: each.default or 0 for each in model.registers.values() if each.eprom} | dict(eprom)
        self._data = model.factory_memory()
        self._at = _owners(model)
        self.power_up()

    def __contains__(self, name: str) -> bool:
        return name in self.model.registers

    def __getitem__(self, name: str) -> int:
        register = self.model.registers[name]
        return register.decode(self._data[register.address : register.end], self.model.order)

    def __setitem__(self, name: str, value: int) -> None:
        """Raises ValueError where the register is too small for `value`."""
        register = self.model.registers[name]
        self._data[register.address : register.end] = register.encode(value, self.model.order)

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
        return list(touched.values())

    def register_at(self, address: int) -> Register | None:
        """The register that this byte belongs to."""
        return self._at.get(address)

    def save(self, name: str) -> None:
        """Puts what an EPROM register holds where it outlives the power."""
        self.saved[name] = self[name]

    def power_up(self) -> None:
        """What there is after power-up: the EPROM as saved, the rest as the factory says."""
        self._data[:] = self.model.factory_memory()
        for name, value in self.saved.items():
            self[name] = value

    def factory_reset(self, kept: tuple[str, ...]) -> None:
        """Puts the EPROM back to the factory's values, all but the registers `kept`."""
        for register in self.model.registers.values():
            if register.eprom and register.writable and register.name not in kept:
                self.saved[register.name] = register.default or 0


def _owners(model: ServoModel) -> dict[int, Register]:
    return {at: each for each in model.registers.values() for at in range(each.address, each.end)}
