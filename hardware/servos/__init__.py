"""Memory tables of bus servos, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hardware.servos import dynamixel, feetech
from hardware.servos.model import ServoModel
from hardware.servos.register import Register, Span

__all__ = ["SERVOS", "SERVOS_BY_NUMBER", "Register", "ServoModel", "Span"]

_ALL = (
    feetech.STS3215,
    feetech.STS3250,
    feetech.SCS0009,
    dynamixel.XL330_M077,
    dynamixel.XL330_M288,
    dynamixel.XL430,
    dynamixel.XC430,
    dynamixel.XM430,
    dynamixel.XM540,
)

SERVOS: Mapping[str, ServoModel] = MappingProxyType({each.name: each for each in _ALL})
"""Every servo we know, by the name that a robot's YAML uses."""

SERVOS_BY_NUMBER: Mapping[tuple[str, int], ServoModel] = MappingProxyType(
    {(each.protocol, each.number): each for each in _ALL}
)
"""The same by protocol and the number that the servo reports."""
