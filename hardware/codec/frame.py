"""Frames, and finding them in a stream of bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple


class Request(NamedTuple):
    """What a client asks: `encode_request(*request)` are its bytes."""

    id: int
    instruction: int
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a parser found.

    Attributes:
        id: whom a request is for, or whom a status is from.
        code: instruction of a request, error byte of a status.
        parameters: of a request, or the data of a status; unstuffed.
        is_status: None where the protocol does not tell (Feetech).
    """

    id: int
    code: int
    parameters: bytes
    is_status: bool | None


class FrameParser(ABC):
    """Finds the frames in a stream that comes in any pieces, with anything in between.

    A candidate that fails its checksum costs one byte: the search goes on behind the first byte of its header,
    so that a frame behind a damaged length is not lost with it.

    Attributes:
        longest: a candidate that claims to be longer is none [bytes].
        checksum_errors: candidates that failed.
        skipped: bytes that belonged to no frame.
    """

    header: ClassVar[bytes]
    head: ClassVar[int]
    """Bytes after which the length of a frame is known."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.checksum_errors = 0
        self.skipped = 0
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that may be the beginning of a frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        self._buffer += data
        return self._search()

    def end(self) -> list[Frame]:
        """The frames behind the beginning of one that will never be complete, since nothing more comes."""
        found = []
        while self._buffer:
            self._drop(1)
            found += self._search()
        return found

    @abstractmethod
    def _size(self) -> int | None:
        """Bytes of the frame whose head the buffer begins with, or None where no frame begins like that."""

    @abstractmethod
    def _decode(self, data: bytes) -> Frame | None:
        """The frame that `data` is, or None where the checksum does not match."""

    def _search(self) -> list[Frame]:
        found = []
        while self._at_header():
            size = self._size()
            if size is None or size > self.longest:
                self._drop(1)
                continue
            if len(self._buffer) < size:
                break
            frame = self._decode(bytes(self._buffer[:size]))
            if frame is None:
                self.checksum_errors += 1
                self._drop(1)
                continue
            found.append(frame)
            del self._buffer[:size]
        return found

    def _at_header(self) -> bool:
        """Drops what comes before a header; whether the whole head of a frame is there."""
        at = self._buffer.find(self.header)
        self._drop(at if at >= 0 else len(self._buffer) - self._cut_header())
        return len(self._buffer) >= self.head

    def _cut_header(self) -> int:
        """Bytes at the end of the buffer with which a header may begin."""
        return max(k for k in range(len(self.header)) if self._buffer.endswith(self.header[:k]))

    def _drop(self, count: int) -> None:
        self.skipped += count
        del self._buffer[:count]


def one_length(data: Mapping[int, bytes]) -> int:
    """Bytes of each value of `data`.

    Raises:
        ValueError: they are not of one length, or there are none.
    """
    lengths = {len(each) for each in data.values()}
    if len(lengths) != 1:
        raise ValueError(f"a sync write needs data of one length, got {sorted(lengths)}")
    return lengths.pop()
