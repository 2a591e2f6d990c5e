"""A bus of servos by the names of their registers, alike for both families.

Values are in the registers' own counts. The health of a servo comes with its readings (`Reading.faults`) and
never stops one; an instruction that a servo did not carry out raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hardware.clock import Clock, Taken
from hardware.description import JointDescription, Protocol, RobotDescription
from hardware.dynamixel_bus import DynamixelFamily
from hardware.errors import Disconnected, HardwareError, NoReply
from hardware.exchange import Exchange, Statistics
from hardware.family import Family
from hardware.feetech_bus import FeetechFamily
from hardware.memory import Memories, silent
from hardware.servos import SERVOS, ServoModel, Span
from hardware.transport import Transport

_NOT_REPEATED = {("torque_enable", 128)}
"""Writes that do something each time: this one makes wherever a Feetech servo stands its centre."""


class Reading(dict[str, int]):
    """Registers of one servo by name.

    Attributes:
        faults: what the servo said of its health along with them.
        taken: when [arm s].
    """

    def __init__(self, values: Mapping[str, int], faults: tuple[str, ...], taken: Taken) -> None:
        super().__init__(values)
        self.faults = faults
        self.taken = taken


class Bus:
    """The servos on one port. Not to be shared between threads.

    Every method raises `Disconnected` when the port is gone; then only a new bus is of use.

    Attributes:
        servos: by id; only these can be read and written.
    """

    def __init__(self, transport: Transport, family: Family, servos: Mapping[int, ServoModel]) -> None:
        self._transport, self._family = transport, family
        self._exchange = Exchange(transport, family.codec)
        self.servos = dict(servos)
        self._memories = Memories(self._exchange, family, self.servos)
        self._spans: dict[tuple[tuple[int, ...], str, str], Mapping[int, Span]] = {}

    @property
    def statistics(self) -> Statistics:
        """What happened since the bus was opened."""
        return self._exchange.statistics

    def ping(self, id: int) -> int:
        """The model number that a servo reports, whether it is in `servos` or not.

        Raises:
            NoReply: it does not answer.
        """
        for attempt, late in enumerate(self._exchange.patience):
            self.statistics.retries += attempt
            number = self._family.identify(self._exchange, id, late)
            if number is not None:
                return number
        raise silent(self._transport.port, id)

    def read(self, id: int, register: str) -> int:
        """The value of a register.

        Raises:
            NoReply: the servo does not answer.
            Refused: it does not let the register be read.
        """
        servo = self.servos[id]
        entry = servo.registers[register]
        block = self._memories.read(id, entry.address, entry.end)
        if block is None:
            raise silent(self._transport.port, id)
        return entry.decode(block.data, servo.order)

    def write(self, id: int, register: str, value: int) -> None:
        """Writes a register. Without an acknowledgement it is read back, and written again where it differs.

        Raises:
            NoReply: nothing shows that the servo has taken it.
            Refused: it has not.
            ValueError: the register cannot hold `value`.
        """
        servo = self.servos[id]
        entry = servo.registers[register]
        repeat = (register, value) not in _NOT_REPEATED
        data = entry.encode(value, servo.order)
        taken = self._memories.write(id, entry.address, data, f"take {register} = {value}", repeat)
        if register == "status_level":
            self._memories.forget_status_level(id)
        if not taken:
            raise NoReply(f"{self._transport.port}: nothing shows that servo {id} took {register} = {value}")

    def sync_read(self, ids: Sequence[int], first: str, last: str) -> dict[int, Reading]:
        """The registers from `first` to `last` of several servos, by id, less the servos that do not answer.

        Raises:
            ValueError: the servos do not have them at the same addresses.
        """
        spans = self._spans.get((tuple(ids), first, last)) or self._planned(tuple(ids), first, last)
        place = spans[ids[0]]
        found = self._memories.read_many(ids, place.begin, place.end)
        return {
            id: Reading(spans[id].decode(block.data), self._family.faults(block.error), block.taken)
            for id, block in found.items()
        }

    def sync_write(self, register: str, values: Mapping[int, int]) -> None:
        """Writes a register of several servos at once, by id. Nobody answers.

        Raises:
            ValueError: the servos do not have it at the same address, or it cannot hold a value.
        """
        entries = {id: self.servos[id].registers[register] for id in values}
        addresses = {entry.address for entry in entries.values()}
        if len(addresses) != 1:
            raise ValueError(f"servos {list(values)} have {register} at {sorted(addresses)}, not in one place")
        data = {id: entries[id].encode(value, self.servos[id].order) for id, value in values.items()}
        self._exchange.send(self._family.codec.sync_write(addresses.pop(), data))

    def torque_off_all(self) -> None:
        """Tells all servos at once to let go, twice, since nobody answers."""
        codec = self._family.codec
        addresses = {servo.registers["torque_enable"].address for servo in self.servos.values()}
        gone: Disconnected | None = None
        for address in (*addresses, *addresses):
            try:
                self._exchange.send(codec.write(codec.BROADCAST, address, b"\0"))
            except Disconnected as error:
                gone = error
        if gone is not None:
            raise gone

    def _planned(self, ids: tuple[int, ...], first: str, last: str) -> Mapping[int, Span]:
        """What to make of the block of each servo; kept, since a control loop asks in every cycle."""
        spans = {id: self.servos[id].span(first, last) for id in ids}
        places = {(span.begin, span.end) for span in spans.values()}
        if len(places) != 1:
            raise ValueError(f"servos {list(ids)} have {first} to {last} at {sorted(places)}, not in one place")
        self._spans[ids, first, last] = spans
        return spans

    def close(self) -> None:
        """Gives the port back; the servos stay as they are. Never raises."""
        self._transport.close()


def open_bus(robot: RobotDescription, clock: Clock) -> Bus:
    """The bus of an arm, with the servos that its description names.

    Raises:
        HardwareError: no port was given, it cannot be opened, or a servo is none that we know.
    """
    if robot.port is None:
        raise HardwareError("robot.port is missing: give the serial port, as robot.port=/dev/ttyACM0")
    servos = {joint.id: _servo(joint, robot.protocol) for joint in robot.joints}
    family: Family = FeetechFamily()
    if robot.protocol == "dynamixel":
        family = DynamixelFamily(fast=all(servo.has_fast_sync_read for servo in servos.values()))
    return Bus(Transport(robot.port, robot.baud, clock), family, servos)


def _servo(joint: JointDescription, protocol: Protocol) -> ServoModel:
    known = {name: servo for name, servo in SERVOS.items() if servo.protocol == protocol}
    if joint.servo not in known:
        raise HardwareError(
            f"robot.joints.{joint.name}.servo {joint.servo!r} is no {protocol} servo; there are {', '.join(known)}"
        )
    return known[joint.servo]
