"""Geared motors, seen at their output shafts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Motor:
    """A direct-current motor behind its gears: torque = kt current, current = (volts - kt velocity) / resistance.

    Attributes:
        kt: torque constant, and back-EMF constant [N m/A], [V s/rad].
        resistance: of the winding [Ohm].
        armature: inertia of the rotor at the output [kg m^2].
        friction: Coulomb friction [N m].
        viscous: viscous friction [N m s/rad].
        stall: torque the data sheet promises at most [N m].
        speed: what a goal moves at most [rad/s].
        capacity: heat that warms it by one kelvin [J/K].
        cooling: kelvins over the room per watt, in the long run [K/W].
    """

    kt: float
    resistance: float
    armature: float
    friction: float
    viscous: float
    stall: float
    speed: float
    capacity: float
    cooling: float

    @property
    def damping(self) -> float:
        """Viscous friction and the brake that a driven winding is [N m s/rad]."""
        return self.viscous + self.kt**2 / self.resistance


# The STS3215's case: it holds 1.47 N m at 48 degrees, reached within ten minutes (robonine's measurement).
_MASS, _CAPACITY, _COOLING = 0.055, 31.0, 5.8


def _heat(mass: float) -> dict[str, float]:
    """Heat goes with the mass, cooling with the surface."""
    share = mass / _MASS
    return {"capacity": _CAPACITY * share, "cooling": _COOLING / share ** (2 / 3)}


def _from_data_sheet(volts: float, stall: float, rpm: float, mass: float) -> Motor:
    """The motor that stalls at `stall` [N m] and idles at `rpm` on `volts`.

    Friction and inertia, which data sheets leave out, stand to the stall torque as in the two identified servos.
    """
    speed = rpm * math.tau / 60
    kt = volts / speed
    return Motor(
        kt=kt,
        resistance=kt * volts / stall,
        armature=0.006 * stall,
        friction=0.02 * stall,
        viscous=0.0,
        stall=stall,
        speed=speed,
        **_heat(mass),
    )


MOTORS: Mapping[str, Motor] = {
    # Identified by Rhoban's bam; clamped to the data sheet's stall torque and speed at 12 V, which the fit exceeds.
    "STS3215": Motor(1.2116, 2.676, 0.0284, 0.0524, 0.0591, 2.94, 4.7, **_heat(0.055)),
    "XL330-M288": Motor(0.387, 4.02, 0.0018, 0.0128, 0.0037, 0.52, 10.8, **_heat(0.018)),
    "STS3250": _from_data_sheet(12.0, 4.9, 75, 0.075),
    "XL330-M077": _from_data_sheet(5.0, 0.215, 383, 0.018),
    "XL430": _from_data_sheet(12.0, 1.5, 61, 0.057),
    "XC430": _from_data_sheet(12.0, 1.6, 106, 0.065),
    "XM430": _from_data_sheet(12.0, 4.1, 46, 0.082),
    "XM540": _from_data_sheet(12.0, 10.6, 30, 0.165),
}
"""By the servo's name in `hardware.servos`."""
