"""What goes wrong on a bus, in words for the person beside the arm."""

from __future__ import annotations

from porl_robot.errors import UserError


class HardwareError(UserError):
    """The arm, its bus or its calibration cannot be used as it is. The message is one line: what, where, what helps."""


class Disconnected(HardwareError):
    """The port is gone. Nothing is known of the torque any more."""


class OutOfRange(HardwareError):
    """A joint stands where its calibration does not let it go."""


class NoReply(HardwareError):
    """A servo did not answer, or not intelligibly, although it was asked again."""


class Refused(HardwareError):
    """A servo answered that it did not carry out what it was asked for."""
