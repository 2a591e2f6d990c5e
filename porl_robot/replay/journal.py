"""The journal: steps that are durable but not yet folded into the arrays.

A segment `journal/<first row>.bin` is a header (magic, format version, length, `LogSpec` as JSON,
CRC32 of all that) and then one record per step: length, CRC32, payload. The payload is the packed
row, followed by the final observation where the step ends its episode, so that neither can be on
disk without the other.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import Rows, episode_ends, row_dtype, spec_from_json, spec_to_json

JOURNAL_NAME = "journal"
JOURNAL_VERSION = 1

_MAGIC = b"PORLJRNL"
_HEADER = struct.Struct("<8sII")  # magic, version, bytes of JSON
_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<II")  # bytes of payload, CRC32 of payload


def encode_header(spec: LogSpec) -> bytes:
    """What a segment begins with."""
    text = json.dumps(spec_to_json(spec)).encode()
    head = _HEADER.pack(_MAGIC, JOURNAL_VERSION, len(text)) + text
    return head + _CRC.pack(zlib.crc32(head))


def decode_header(data: bytes) -> tuple[LogSpec, int]:
    """The spec of a segment and where its records begin.

    Raises:
        ValueError: the header is cut, damaged, or of another format.
    """
    if len(data) < _HEADER.size:
        raise ValueError("header is cut")
    magic, version, size = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != JOURNAL_VERSION:
        raise ValueError(f"not a journal segment of version {JOURNAL_VERSION}")
    body = _HEADER.size + size
    if len(data) < body + _CRC.size:
        raise ValueError("header is cut")
    if _CRC.unpack_from(data, body)[0] != zlib.crc32(data[:body]):
        raise ValueError("header checksum does not match")
    return spec_from_json(json.loads(data[_HEADER.size : body])), body + _CRC.size


def encode_record(row: bytes, final: bytes = b"") -> bytes:
    """One step; `final` is its final observation (float32) where the episode ends."""
    payload = row + final
    return _RECORD.pack(len(payload), zlib.crc32(payload)) + payload


def decode_records(data: bytes, start: int, spec: LogSpec) -> tuple[Rows, FloatArray, int]:
    """Every record from byte `start` to the first bad one.

    Returns:
        rows (n,), final observations (episodes, D), and the byte at which the good records end.
    """
    dtype = row_dtype(spec)
    # Zeros are a valid checksum of nothing, so only the two lengths that exist are believed.
    lengths = (dtype.itemsize, dtype.itemsize + 4 * spec.observation_size)
    rows, finals = bytearray(), bytearray()
    at = start
    while at + _RECORD.size <= len(data):
        length, crc = _RECORD.unpack_from(data, at)
        payload = data[at + _RECORD.size : at + _RECORD.size + length]
        if length not in lengths or len(payload) < length or zlib.crc32(payload) != crc:
            break
        rows += payload[: dtype.itemsize]
        finals += payload[dtype.itemsize :]
        at += _RECORD.size + length
    observations = np.frombuffer(finals, "<f4").reshape(-1, spec.observation_size)
    return np.frombuffer(rows, dtype), observations, at


@dataclass(frozen=True, slots=True)
class Segment:
    """What could be read of one segment file.

    Attributes:
        path: the file.
        first_row: index in the log of its first row.
        spec: None where the header is unreadable; there are no rows then.
        rows: shape (n,).
        finals: final observations of the episodes that end in it, shape (episodes, D).
        cut_bytes: bytes after the last good record.
    """

    path: Path
    first_row: int
    spec: LogSpec | None
    rows: Rows
    finals: FloatArray
    cut_bytes: int


def read_segment(path: Path) -> Segment:
    """Reads one segment up to its first bad record."""
    data = path.read_bytes()
    try:
        spec, start = decode_header(data)
    except (ValueError, KeyError, TypeError):
        no_rows, no_finals = np.empty(0, np.void), np.empty((0, 0), np.float32)
        return Segment(path, int(path.stem), None, no_rows, no_finals, len(data))
    rows, finals, end = decode_records(data, start, spec)
    return Segment(path, int(path.stem), spec, rows, finals, len(data) - end)


def read_segments(directory: Path) -> list[Segment]:
    """All segments in the order of their rows, less those that a writer deletes meanwhile."""
    segments = []
    for path in sorted(directory.glob("*.bin")):
        if path.stem.isdecimal():
            try:
                segments.append(read_segment(path))
            except FileNotFoundError:
                continue
    return segments


def pending(segments: Sequence[Segment], committed: int, spec: LogSpec) -> tuple[Rows, FloatArray]:
    """What the journal holds beyond the first `committed` rows of the log.

    `committed` lies between two episodes. Stops at a gap: rows after it have no place.

    Returns:
        rows (n,) and the final observations (episodes, D) of the episodes that end in them.

    Raises:
        UserError: a segment was written for another spec.
    """
    rows = [np.empty(0, row_dtype(spec))]
    finals = [np.empty((0, spec.observation_size), np.float32)]
    expected = committed
    for segment in segments:
        if segment.spec is None:
            continue
        if segment.spec != spec:
            raise UserError(f"{segment.path}: belongs to another log ({segment.spec}); expected {spec}")
        folded = expected - segment.first_row
        if folded < 0:
            break
        if folded < len(segment.rows):
            rows.append(segment.rows[folded:])
            finals.append(segment.finals[len(episode_ends(segment.rows[:folded])) :])
            expected = segment.first_row + len(segment.rows)
    return np.concatenate(rows), np.concatenate(finals)


class SegmentWriter:
    """Appends to one new segment file."""

    def __init__(self, directory: Path, first_row: int, spec: LogSpec) -> None:
        self.path = directory / f"{first_row:012d}.bin"
        self._file = self.path.open("xb")
        self._file.write(encode_header(spec))
        sync_directory(directory)

    def append(self, records: Sequence[bytes]) -> None:
        """Writes encoded records; they are durable when this returns."""
        self._file.write(b"".join(records))
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def sync_directory(directory: Path) -> None:
    """Makes creations and renames in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class JournalLock:
    """Exclusive right to write a log; the kernel frees it when the process dies.

    Raises:
        UserError: another writer holds it.
    """

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise UserError(
                f"{directory.parent}: the log is being written by another writer; wait until it has closed"
            ) from None

    @staticmethod
    def is_held(directory: Path) -> bool:
        """Whether somebody writes the log whose journal is `directory`."""
        if not directory.is_dir():
            return False
        try:
            JournalLock(directory).release()
        except UserError:
            return True
        return False

    def release(self) -> None:
        """Lets the next writer in. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
