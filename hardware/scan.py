"""Who is on which port: every protocol at every baud, and ids that more than one servo answers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hardware.bus import Bus
from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Frame, Request
from hardware.dynamixel_bus import DynamixelFamily
from hardware.errors import HardwareError, NoReply, Refused
from hardware.exchange import Exchange
from hardware.family import Family
from hardware.feetech_bus import FeetechFamily
from hardware.manifest import read_manifest
from hardware.port import BaudRefused, usb_ports
from hardware.servos import SERVOS_BY_NUMBER
from hardware.transport import Transport

ANSWER_SPACING = 0.003
"""By so much later than the id before it may a servo answer a broadcast ping [s]."""

_SPEEDS = (
    ("feetech", 1_000_000),
    ("dynamixel", 1_000_000),
    ("dynamixel", 57_600),
    ("feetech", 500_000),
    ("feetech", 250_000),
    ("feetech", 128_000),
    ("feetech", 115_200),
    ("dynamixel", 115_200),
    ("dynamixel", 2_000_000),
    ("dynamixel", 3_000_000),
    ("dynamixel", 4_000_000),
    ("dynamixel", 9_600),
)
"""The likeliest first."""

_CROWD = 30  # servos, more than on any bus we know of
_STATUS = 14  # bytes of the longest answer to a ping
_LISTENS = 3
_LATE = 0.03  # wall s, by which a reply may be later than the wire explains; nobody is in a hurry here
_FIRMWARE = ("firmware_major", "firmware_minor", "firmware_version")
_REMEDY = "connect them one at a time and give each an id of its own"


@dataclass(frozen=True, slots=True)
class Finding:
    """A servo, or several with one id.

    Attributes:
        port, usb_serial: where; the serial number is empty where the adapter has none.
        protocol, baud, id: by which it answers.
        model, firmware: as far as it tells.
        voltage: of its supply [V], or None where it cannot be had.
        problem: what is wrong and what helps, or empty.
    """

    port: str
    usb_serial: str
    protocol: str
    baud: int
    id: int
    model: str = "?"
    firmware: str = "?"
    voltage: float | None = None
    problem: str = ""


def ports_to_scan(port: str | None) -> list[tuple[str, str]]:
    """Path and serial number of `port`, or of every USB serial port.

    Raises:
        HardwareError: there is none.
    """
    known = {each.device: each.serial_number or "" for each in usb_ports()}
    if port is not None:
        manifest = read_manifest(port)
        return [(port, manifest.serial if manifest else known.get(str(Path(port).resolve()), ""))]
    if not known:
        raise HardwareError("there is no USB serial port: plug the adapter in, or give another port as port=PATH")
    return list(known.items())


def scan_port(port: str, usb_serial: str) -> Iterator[Finding]:
    """Every servo on `port`, as it is found. Nothing is written to any.

    Raises:
        HardwareError: the port cannot be opened, or is unplugged meanwhile.
    """
    for protocol, baud in _SPEEDS:
        with suppress(BaudRefused), Transport(port, baud) as transport:
            line = _Line(transport, protocol)
            for id in line.ids():
                finding = line.look_at(id)
                if finding is not None:
                    yield replace(finding, usb_serial=usb_serial)


@dataclass(frozen=True)
class _Protocol:
    family: Family
    ping: Callable[[int], Request]
    probe: Callable[[int], Request]
    """What one servo answers whatever its settings, and what looks like no reply when it is echoed."""
    largest_id: int


_PROTOCOLS = {
    "feetech": _Protocol(FeetechFamily(), feetech.ping, lambda id: feetech.read(id, 0, 5), feetech.LARGEST_ID),
    "dynamixel": _Protocol(DynamixelFamily(fast=False), dynamixel.ping, dynamixel.ping, dynamixel.LARGEST_ID),
}


class _Line:
    """One port at one baud, asked in one protocol."""

    def __init__(self, transport: Transport, protocol: str) -> None:
        self._transport, self._name, self._protocol = transport, protocol, _PROTOCOLS[protocol]
        self._exchange = Exchange(transport, self._protocol.family.codec)

    def ids(self) -> Sequence[int]:
        """Ids worth a look: those that answer a broadcast, or where that comes back garbled, all that say anything."""
        largest = self._protocol.largest_id
        seconds = ANSWER_SPACING * largest + self._transport.wire_time(_STATUS * _CROWD) + _LATE
        frames, garbled = self._exchange.listen(self._protocol.ping(self._protocol.family.codec.BROADCAST), seconds)
        if garbled:
            return [id for id in range(largest + 1) if any(self._hear(id))]
        return sorted({frame.id for frame in frames})

    def look_at(self, id: int) -> Finding | None:
        """What answers to `id`, or None where nothing does."""
        finding = Finding(self._transport.port, "", self._name, self._transport.baud, id)
        heard = [self._hear(id) for _ in range(_LISTENS)]
        answers = [sum(frame.id == id for frame in frames) for frames, _ in heard]
        if sum(count > 1 for count in answers) > _LISTENS // 2:
            return replace(finding, problem=f"several servos answer to id {id}; {_REMEDY}")
        if sum(garbled > 0 for _, garbled in heard) > _LISTENS // 2:
            return replace(finding, problem=f"answers to id {id} are garbled: several servos have it; {_REMEDY}")
        return self._details(finding) if any(answers) else None

    def _hear(self, id: int) -> tuple[list[Frame], int]:
        seconds = self._transport.wire_time(2 * _STATUS) + self._transport.latency + _LATE
        return self._exchange.listen(self._protocol.probe(id), seconds)

    def _details(self, finding: Finding) -> Finding:
        bus = Bus(self._transport, self._protocol.family, {})
        try:
            number = bus.ping(finding.id)
            servo = SERVOS_BY_NUMBER.get((self._name, number))
            if servo is None:
                return replace(finding, model=str(number), problem=f"model {number} is none that we know")
            bus.servos[finding.id] = servo
            return replace(
                finding,
                model=servo.name,
                firmware=".".join(str(bus.read(finding.id, name)) for name in _FIRMWARE if name in servo.registers),
                voltage=servo.registers["present_voltage"].scale * bus.read(finding.id, "present_voltage"),
            )
        except (NoReply, Refused) as error:
            return replace(finding, problem=str(error))
