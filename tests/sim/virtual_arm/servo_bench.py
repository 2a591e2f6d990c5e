"""One servo on a bench, whichever family it is of."""

from __future__ import annotations

from hardware.servos import SERVOS
from sim.virtual_arm.motor import MOTORS


class ServoBench:
    """One servo whose shaft stands where it is put. Subclasses say which."""

    model: str
    make: type  # of the servo
    codec: object  # module, whose frames it takes
    width: int  # bytes of an address or a count in a request
    volts: float
    shaft: float

    def __init__(self, shaft=None, **kept):
        self.saves = 0
        self.table = SERVOS[self.model].registers
        self.servo = self.make(SERVOS[self.model], MOTORS[self.model], kept, save=self._save)
        self.servo.drive.volts = self.volts
        self.turn_to(self.shaft if shaft is None else shaft)
        self.servo.drive.power_up()

    def _save(self):
        self.saves += 1

    def turn_to(self, shaft):
        self.servo.drive.shaft = shaft

    def ask(self, instruction, parameters=b""):
        """Error and data of the status, or None where there is none."""
        id = self.servo.id
        answer = self.servo.execute(instruction, parameters)
        if answer is None:
            return None
        (status,) = self.codec.Parser().feed(answer)
        assert status.id in (id, self.servo.id)
        return status.code, status.parameters

    def write(self, name, value, instruction=None):
        """The status of a write, or of another `instruction` with what a write takes."""
        register = self.table[name]
        instruction = self.codec.Instruction.WRITE if instruction is None else instruction
        return self.ask(instruction, self.words(register.address) + register.encode(value, "little"))

    def read(self, name):
        register = self.table[name]
        _, data = self.ask(self.codec.Instruction.READ, self.words(register.address, register.size))
        return register.decode(data, "little")

    def words(self, *values):
        return b"".join(value.to_bytes(self.width, "little") for value in values)
