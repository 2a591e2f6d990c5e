"""An X-series servo's side of the conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from hardware.codec.dynamixel import ALERT, Error, Instruction, encode_status, split_read, split_write
from hardware.servos import Register, ServoModel
from sim.virtual_arm.dynamixel_drive import TRIPPED, DynamixelDrive, Mode
from sim.virtual_arm.motor import Motor
from sim.virtual_arm.servo import Servo

_GOALS = ("goal_pwm", "goal_current", "goal_velocity", "goal_position")

_CLEAR_TURNS = bytes((0x01, 0x44, 0x58, 0x4C, 0x22))
"""Parameters of `CLEAR` that make it forget the turns counted."""

BACKUP = 0x20
"""Instruction that keeps the gains and profiles."""

_BACK_UP = bytes((0x01, 0x43, 0x54, 0x52, 0x4C))
_BACKED_UP = ("velocity_i", "velocity_p", "position_d", "position_i", "position_p", "profile_velocity", "acceleration")

_SPARED = {0xFF: (), 0x01: ("id",), 0x02: ("id", "baud_rate")}
"""What a factory reset spares, by its parameter."""


_LIMITED = {"goal_pwm": "pwm_limit", "goal_current": "current_limit", "goal_velocity": "velocity_limit"}
"""Goals that an EPROM register bounds."""

_ANSWERED_FROM: Mapping[int, int] = {Instruction.PING: 0, Instruction.READ: 1}
"""The `status_level` from which an instruction is answered; 2 for all others."""

_INDIRECT_DATA, _INDIRECT_ADDRESS = "indirect_data_", "indirect_address_"

_TICKS = 32768
"""Where the servo's own clock starts over [ms]."""


class _Refusal(Exception):
    """An instruction that cannot be carried out."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


class DynamixelServo(Servo):
    """A Dynamixel X servo, with its access rules and error codes."""

    def __init__(self, model: ServoModel, motor: Motor, kept: Mapping[str, int], save: Callable[[], None]) -> None:
        super().__init__(model, kept, save)
        self.drive: DynamixelDrive = DynamixelDrive(self.memory, motor)
        slots = [each.address for each in model.registers.values() if each.name.startswith(_INDIRECT_DATA)]
        self._indirect = range(min(slots), max(slots) + 1)

    @property
    def alert(self) -> int:
        """The bit of the error that says that the hardware has a fault."""
        return ALERT if self.memory["status"] else 0

    def execute(self, instruction: int, parameters: bytes, asked: bool = True) -> bytes | None:
        id, level = self.id, self.memory["status_level"]
        try:
            data, error = self._carry_out(instruction, parameters), 0
        except _Refusal as refusal:
            data, error = b"", int(refusal.error)
        except ValueError:
            data, error = b"", int(Error.LENGTH)
        if not asked or level < _ANSWERED_FROM.get(instruction, 2):
            return None
        return encode_status(id, error | self.alert, data)

    def read(self, address: int, count: int) -> bytes:
        """Registers as they are now, the indirect ones as what they point to."""
        self.drive.report()
        self.memory["tick"] = round(self.uptime * 1000) % _TICKS
        return b"".join(self.memory.read(start, length) for start, length in self._runs(address, count))

    def _carry_out(self, instruction: int, parameters: bytes) -> bytes:
        """The data of the answer."""
        memory = self.memory
        if instruction == Instruction.PING:
            return memory.read(0, 2) + memory.read(6, 1)
        if instruction == Instruction.READ:
            return self.read(*split_read(parameters))
        if instruction == Instruction.WRITE:
            self._write(*split_write(parameters))
        elif instruction == Instruction.REG_WRITE:
            self._registered = split_write(parameters)
            memory["registered"] = 1
        elif instruction == Instruction.ACTION:
            self._act()
        elif instruction == Instruction.REBOOT:
            self.restart()
        else:
            self._service(instruction, parameters)
        return b""

    def _service(self, instruction: int, parameters: bytes) -> None:
        """What is done to a servo that rests: resets and backups."""
        memory = self.memory
        resets = instruction == Instruction.FACTORY_RESET and len(parameters) == 1 and parameters[0] in _SPARED
        clears = instruction == Instruction.CLEAR and parameters == _CLEAR_TURNS
        backs_up = instruction == BACKUP and parameters == _BACK_UP
        if not (resets or clears or backs_up):
            raise _Refusal(Error.INSTRUCTION)
        if self.drive.driven:
            raise _Refusal(Error.RESULT)
        if clears:
            self.drive.within_one_turn()
            return
        if backs_up:
            memory["backup_ready"] = 1
            for name in _BACKED_UP:
                memory.keep(name)
        else:
            memory.forget(_SPARED[parameters[0]])
            self.restart()
        self._save()

    def _act(self) -> None:
        if self._registered is None:
            raise _Refusal(Error.RESULT)
        address, data = self._registered
        self._registered = None
        self.memory["registered"] = 0
        self._write(address, data)

    def _write(self, address: int, data: bytes) -> None:
        runs = [(start, data[done : done + length]) for start, length, done in _counted(self._runs(address, len(data)))]
        for start, part in runs:
            self._check(start, part)
        touched = {register.name for start, part in runs for register in self.memory.write(start, part)}
        memory, drive = self.memory, self.drive
        if drive.tripped:
            memory["torque_enable"] = 0
        lasting = [name for name in touched if memory.model.registers[name].eprom]
        for name in lasting:
            memory.keep(name)
        if lasting:
            self._save()
        drive.reload()
        if "operating_mode" in touched:
            drive.begin_mode()

    def _check(self, address: int, data: bytes) -> None:
        """Raises `_Refusal` unless `data` is whole registers that may be written with it now."""
        at = address
        while at < address + len(data):
            register = self.memory.register_at(at)
            if register is None or not register.writable or (register.eprom and self.drive.driven):
                raise _Refusal(Error.ACCESS)
            if register.address != at or register.end > address + len(data):
                raise _Refusal(Error.LENGTH)
            value = register.decode(data[at - address : register.end - address], self.memory.model.order)
            self._check_value(register, value)
            at = register.end

    def _check_value(self, register: Register, value: int) -> None:
        memory, name = self.memory, register.name
        lowest, highest = register.takes
        if not lowest <= value <= highest:
            raise _Refusal(Error.RANGE)
        if name == "operating_mode" and value not in list(Mode):
            raise _Refusal(Error.RANGE)
        held = name in _GOALS or (name == "bus_watchdog" and value != 0)
        if held and memory["bus_watchdog"] == TRIPPED:
            raise _Refusal(Error.RANGE)
        if name in _LIMITED and abs(value) > memory[_LIMITED[name]]:
            raise _Refusal(Error.LIMIT)
        in_one_turn = name == "goal_position" and memory["operating_mode"] == Mode.POSITION
        if in_one_turn and not memory["min_position"] <= value <= memory["max_position"]:
            raise _Refusal(Error.LIMIT)

    def _runs(self, address: int, count: int) -> list[tuple[int, int]]:
        """Where the bytes from `address` on really lie: (address, length) of each contiguous piece."""
        if address >= self._indirect.stop or address + count <= self._indirect.start:
            return [(address, count)]
        runs: list[tuple[int, int]] = []
        for at in range(address, address + count):
            real = self._resolve(at)
            if runs and sum(runs[-1]) == real:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((real, 1))
        return runs

    def _resolve(self, address: int) -> int:
        register = self.memory.register_at(address)
        if register is None or not register.name.startswith(_INDIRECT_DATA):
            return address
        return self.memory[_INDIRECT_ADDRESS + register.name.removeprefix(_INDIRECT_DATA)]


def _counted(runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Each run with the bytes before it."""
    done = 0
    for start, length in runs:
        yield start, length, done
        done += length
