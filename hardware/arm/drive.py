"""Which servos are believed to be driven, and asking them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from hardware.arm.faults import ArmFault, Fault, FaultKind, fault_of
from hardware.arm.joint import Joint
from hardware.arm.safe_stop import bring
from hardware.bus import Bus
from hardware.errors import Disconnected, HardwareError
from hardware.patience import patiently

_log = logging.getLogger(__name__)


class Drive:
    """The torque of every joint, as it was last told or asked.

    Attributes:
        on: by joint, in their order.

    Raises:
        HardwareError: a servo does not answer.
    """

    def __init__(self, bus: Bus, joints: Sequence[Joint]) -> None:
        self._bus, self._joints = bus, joints
        self.on = patiently(lambda: [self._asked(joint) for joint in joints])
        self._inspected = 0

    def inspect(self, first: set[int]) -> None:
        """Asks one servo whether its torque is still as it was left, in turn.

        Args:
            first: places of servos whose turn comes before the others'; the one that was asked is taken out.

        Raises:
            ArmFault: it has lost it: a sagging supply has reset it, most likely.
        """
        if first:
            index = first.pop()
        else:
            index = self._inspected = (self._inspected + 1) % len(self._joints)
        if not self.on[index]:
            return
        try:
            self.on[index] = self._asked(self._joints[index])
        except Disconnected as error:
            raise ArmFault(fault_of(error)) from error
        except HardwareError:
            return  # silence is counted where telemetry is read
        if not self.on[index]:
            raise ArmFault(self.reset_fault())

    def require_awake(self, silence: float) -> None:
        """After the bus was silent for `silence` [s]: servos with a watchdog have stopped by themselves.

        Raises:
            ArmFault: one has, and takes no goal any more.
        """
        watched = [joint for joint, on in zip(self._joints, self.on, strict=True) if on and joint.servo.has_watchdog]
        try:
            stopped = [joint.name for joint in watched if self._bus.read(joint.id, "bus_watchdog") < 0]
        except HardwareError as error:
            raise ArmFault(fault_of(error)) from error
        if stopped:
            raise ArmFault(
                Fault(
                    FaultKind.HOST,
                    f"the arm host stood still for {silence:.1f} s, so {', '.join(stopped)} stopped by their watchdogs",
                )
            )

    def reset_fault(self) -> Fault:
        """The fault that some joints have lost their torque."""
        lost = [joint.name for joint, on in zip(self._joints, self.on, strict=True) if not on]
        return Fault(FaultKind.BROWN_OUT, f"{', '.join(lost)} lost torque without being told to: the servos were reset")

    def restore(self, before: Sequence[bool]) -> None:
        """Switches off what was not on `before`, as far as it answers. Never raises."""
        for index, joint in enumerate(self._joints):
            refusal = None if before[index] else bring(self._bus, joint, "torque_enable", 0)
            if refusal is not None:
                _log.error("the torque of %s could not be switched off again: %s", joint.name, refusal)
            self.ask(index)

    def ask(self, index: int) -> None:
        """Asks the servo at `index`; one that does not answer is believed to be as it was."""
        with contextlib.suppress(HardwareError):
            self.on[index] = self._asked(self._joints[index])

    def _asked(self, joint: Joint) -> bool:
        return bool(self._bus.read(joint.id, "torque_enable"))
