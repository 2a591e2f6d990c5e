"""CRC-16/UMTS: polynomial 0x8005, start 0, nothing reflected."""

from __future__ import annotations


def crc16(data: bytes) -> int:
    """The checksum of `data`."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _TABLE[crc >> 8 ^ byte]
    return crc


def _entry(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = crc << 1 ^ (0x8005 if crc & 0x8000 else 0)
    return crc & 0xFFFF


_TABLE = tuple(_entry(byte) for byte in range(256))
