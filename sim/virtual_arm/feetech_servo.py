"""An STS servo's side of the conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hardware.codec.feetech import LARGEST_ID, Instruction, encode_status, split_read, split_write
from hardware.servos import ServoModel
from sim.virtual_arm.feetech_drive import FeetechDrive
from sim.virtual_arm.motor import Motor
from sim.virtual_arm.servo import Servo

RESET = 0x06
"""Instruction that puts the EPROM back to the factory's values, all but the id."""

_CENTRE_HERE = 128


class FeetechServo(Servo):
    """A Feetech STS servo. It refuses nothing: what cannot be written is ignored, goals are clipped, and the error byte
    of a status says how the servo is, not what became of the instruction."""

    def __init__(self, model: ServoModel, motor: Motor, kept: Mapping[str, int], save: Callable[[], None]) -> None:
        super().__init__(model, kept, save)
        self.drive: FeetechDrive = FeetechDrive(self.memory, motor)

    def execute(self, instruction: int, parameters: bytes, asked: bool = True) -> bytes | None:
        id = self.id
        data = self._carry_out(instruction, parameters)
        wanted = self.memory["status_level"] >= 1 or instruction in (Instruction.PING, Instruction.READ)
        if data is None or not (asked and wanted):
            return None
        return encode_status(id, self.memory["status"], data)

    def _carry_out(self, instruction: int, parameters: bytes) -> bytes | None:
        """The data of the answer, or None where the instruction is none."""
        try:
            if instruction == Instruction.READ:
                self.drive.report()
                return self.memory.read(*split_read(parameters))
            if instruction == Instruction.WRITE:
                self._write(*split_write(parameters))
            elif instruction == Instruction.REG_WRITE:
                self._registered = split_write(parameters)
                self.memory["registered"] = 1
            elif instruction == Instruction.ACTION:
                self._act()
            elif instruction == RESET:
                self.memory.forget(spared=("id",))
                self._save()
                self.restart()
            elif instruction != Instruction.PING:
                return None
        except ValueError:
            return None
        return b""

    def _act(self) -> None:
        if self._registered is not None:
            address, data = self._registered
            self._registered = None
            self.memory["registered"] = 0
            self._write(address, data)

    def _write(self, address: int, data: bytes) -> None:
        memory, drive = self.memory, self.drive
        before = {name: memory[name] for name in ("id", "baud_rate")}
        touched = {register.name: register for register in memory.write(address, data)}
        if memory["id"] > LARGEST_ID or memory["baud_rate"] not in memory.model.bauds:
            for name, value in before.items():
                memory[name] = value
        if "torque_enable" in touched:
            drive.forgive()
            if memory["torque_enable"] == _CENTRE_HERE:
                memory["torque_enable"] = 0
                drive.centre()
                self._keep(["homing_offset"])
        if "goal_position" in touched:
            drive.take_step()
        if memory["lock"] == 0:
            self._keep([name for name, register in touched.items() if register.eprom])
        drive.reload()

    def _keep(self, names: list[str]) -> None:
        """Saves EPROM registers."""
        for name in names:
            self.memory.keep(name)
        if names:
            self._save()
