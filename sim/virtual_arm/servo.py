"""One servo on the bus: what it answers, over a drive that turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from hardware.servos import ServoModel
from sim.virtual_arm.drive import Drive
from sim.virtual_arm.memory import Memory

_BOOT = 0.1
"""A servo that starts says nothing for so long [s]."""


class Servo(ABC):
    """Memory and drive of one servo, and its side of the conversation.

    Attributes:
        silent: whether it ignores the bus: a dead servo.
        alias: id it answers to instead of its own, or None.
        uptime: since it was switched on or rebooted [s].
    """

    drive: Drive

    def __init__(self, model: ServoModel, kept: Mapping[str, int], save: Callable[[], None]) -> None:
        self.memory = Memory(model, kept)
        self.silent = False
        self.alias: int | None = None
        self._save = save
        self.uptime = 0.0
        self._booting = 0.0
        self._powered = True
        self._registered: tuple[int, bytes] | None = None

    @property
    def id(self) -> int:
        """What it answers to."""
        return self.memory["id"] if self.alias is None else self.alias

    @property
    def baud(self) -> int:
        """What it listens at [bit/s]."""
        return self.memory.model.bauds[self.memory["baud_rate"]]

    @property
    def return_delay(self) -> float:
        """Between a request and its answer [s]."""
        return self.memory.quantity("return_delay")

    @property
    def listens(self) -> bool:
        """Whether it hears the bus at all now."""
        return self._powered and self._booting <= 0.0 and not self.silent

    @abstractmethod
    def execute(self, instruction: int, parameters: bytes, asked: bool = True) -> bytes | None:
        """Carries out an instruction meant for this servo.

        Args:
            asked: whether it was asked alone, and so answers.

        Returns:
            the bytes of its status, or None where it gives none.
        """

    def power(self, on: bool) -> None:
        """Switches its supply. With the power it loses everything but the EPROM, the torque first."""
        if on is not self._powered:
            self._powered = on
            self.restart()

    def restart(self) -> None:
        """Begins as after power-up, and is deaf for a moment."""
        self._lose_memory()
        self._booting = _BOOT

    def watch(self, dt: float) -> None:
        """Lets `dt` pass for everything slower than the motor: warming, protection, booting."""
        self.uptime += dt
        self._booting = max(self._booting - dt, 0.0)
        self.drive.warm(dt)
        if self._powered:
            self.drive.protect(dt)

    def _lose_memory(self) -> None:
        self.uptime = 0.0
        self._registered = None
        self.memory.power_up()
        self.drive.power_up()
