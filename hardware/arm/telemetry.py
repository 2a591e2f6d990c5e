"""What the servos say of themselves in one cycle."""

from __future__ import annotations

from dataclasses import dataclass

from porl_robot.command import FloatArray

Flags = tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """All joints, in the robot's order. Arrays: shape (n,).

    Attributes:
        measured: when the position and velocity of each were measured [s], arm time.
        heard: when the oldest of the rest was [s], arm time: of a motion that is doubted the one before stands.
        position: [rad].
        velocity: [rad/s].
        load: share of the full duty, signed; zero where the servo does not measure it.
        voltage: at the servo [V].
        temperature: [deg C].
        current: signed [A]; zero where the servo does not measure it.
        flags: of each servo, what it complains of, in the words of `ServoModel.faults`.
    """

    measured: FloatArray
    heard: float
    position: FloatArray
    velocity: FloatArray
    load: FloatArray
    voltage: FloatArray
    temperature: FloatArray
    current: FloatArray
    flags: Flags
