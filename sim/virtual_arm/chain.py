"""The servos on one bus: who carries out a request, and what they answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from hardware.codec.frame import Frame, FrameParser
from sim.virtual_arm.servo import Servo


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer on the wire.

    Attributes:
        id: of the servo that gives it; the broadcast id where several give it together.
        delay: silence before it [s].
        data: its bytes.
    """

    id: int
    delay: float
    data: bytes


class Chain(ABC):
    """Servos on one pair of wires. A servo hears a request that is sent at its own baud."""

    servos: Sequence[Servo]

    @abstractmethod
    def parser(self) -> FrameParser:
        """One that finds requests."""

    @abstractmethod
    def execute(self, request: Frame, baud: int) -> list[Reply]:
        """What the servos answer to a request sent at `baud` [bit/s], in the order they do."""

    def listening(self, baud: int) -> list[int]:
        """Places of the servos that hear this baud."""
        return [place for place, servo in enumerate(self.servos) if servo.listens and servo.baud == baud]


def replies_of(servos: Iterable[Servo], id: int, ask: Callable[[Servo], bytes | None]) -> list[Reply]:
    """The answer of the servo with this id: none, one, or what becomes of several that talk at once."""
    answered = [(servo.return_delay, said) for servo in servos if servo.id == id and (said := ask(servo)) is not None]
    if not answered:
        return []
    delay = min(each for each, _ in answered)
    return [Reply(id, delay, _collided([said for _, said in answered]))]


def replies_to(
    servos: Sequence[Servo], request: Frame, broadcast: int, answers_broadcast: Callable[[int], bool]
) -> list[Reply]:
    """Answers to a request to one servo, or to all, which only some instructions are answered to."""
    if request.id != broadcast:
        return replies_of(servos, request.id, lambda servo: servo.execute(request.code, request.parameters))
    asked = answers_broadcast(request.code)
    replies: list[Reply] = []
    for id in sorted({servo.id for servo in servos}):
        replies += replies_of(servos, id, lambda servo: servo.execute(request.code, request.parameters, asked))
    return replies


def _collided(spoken: Sequence[bytes]) -> bytes:
    """What is heard of several that speak at once: their bytes in turn."""
    if len(spoken) == 1:
        return spoken[0]
    return bytes(byte for column in zip_longest(*spoken) for byte in column if byte is not None)
