"""The arrays of a log and how complete episodes are folded into them.

`log.zarr` is zarr format 2. `meta/episode_ends` is the commit point: whatever lies beyond its last
entry does not count and is overwritten by the next fold. Every file is fsynced before it takes its
name, so a crash or a power cut leaves the old or the new content of it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.replay.journal import sync_directory
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import (
    ENDS_KEY,
    FIELDS,
    FINAL_KEY,
    Rows,
    episode_ends,
    spec_from_json,
    spec_to_json,
)

LOG_NAME = "log.zarr"
FORMAT_VERSION = 1
CHUNK_ROWS = 1024

_COMPRESSOR: dict[str, str | int] = {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1}
_EXPECTED = f"expected a run folder whose {LOG_NAME} is a replay log of format version {FORMAT_VERSION}"
_ENDS_PATH = f"meta/{ENDS_KEY}"


class DurableStore(LocalStore):
    """A folder whose files are replaced only by content that is already on the disk."""

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._touched: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        """Writes `value` under a temporary name, fsyncs it, renames it to `key`."""
        if not self._is_open:
            await self._open()
        self._check_writable()
        await asyncio.to_thread(self._replace, self.root / key, value.to_bytes())

    def _replace(self, path: Path, content: bytes) -> None:
        if path.is_file() and path.read_bytes() == content:
            return  # zarr rewrites unchanged attributes whenever an array grows
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        self._touched.add(path.parent)

    def sync_names(self) -> None:
        """Makes the renames since the last call durable."""
        for directory in self._touched:
            sync_directory(directory)
        self._touched.clear()


class ZarrLog:
    """The folded part of the log in one run folder.

    Attributes:
        run_dir: the run folder.
        spec: what the log says of itself.
        ends: committed episode ends, shape (episodes,), int64.
        arrays: every array by its path in the store, `meta/episode_ends` included.
    """

    def __init__(self, run_dir: Path, *, writable: bool) -> None:
        """Opens an existing log.

        Raises:
            UserError: there is no log, it is of another format, or its metadata is damaged.
        """
        root = run_dir / LOG_NAME
        if not root.is_dir():
            hint = f"give the folder it is in, {run_dir.parent}" if run_dir.name == LOG_NAME else _EXPECTED
            raise UserError(f"{run_dir}: holds no {LOG_NAME}; {hint}")
        self.run_dir = run_dir
        self._store = DurableStore(root, read_only=not writable)
        with _readable(root):
            group = zarr.open_group(self._store, mode="r+" if writable else "r", zarr_format=2, use_consolidated=False)
            attributes = group.attrs.asdict()
        self.spec = _checked_spec(root, attributes)
        # The commit point is read before the arrays are opened: a live writer makes them longer.
        self.arrays: dict[str, zarr.Array[Any]] = {}
        for path, dtype, shape in _layout(self.spec):
            with _readable(root / path):
                array = zarr.open_array(self._store, path=path, mode="r+" if writable else "r", zarr_format=2)
                if array.dtype != np.dtype(dtype) or array.shape[1:] != shape:
                    raise ValueError(f"rows are {array.dtype}{array.shape[1:]}, not {dtype}{shape}")
                if path == _ENDS_PATH:
                    self.ends = _committed(np.asarray(array[:]))
            self.arrays[path] = array

    @classmethod
    def create(cls, run_dir: Path, spec: LogSpec) -> ZarrLog:
        """Makes an empty log in `run_dir`, which holds none."""
        unfinished = run_dir / f"{LOG_NAME}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        store = DurableStore(unfinished)
        attributes = {"format_version": FORMAT_VERSION, "spec": spec_to_json(spec)}
        group = zarr.create_group(store, zarr_format=2, attributes=attributes)
        for path, dtype, shape in _layout(spec):
            group.create_array(
                path,
                shape=(0, *shape),
                chunks=(CHUNK_ROWS, *shape),
                dtype=dtype,
                compressors=_COMPRESSOR,
                fill_value=0,
            )
        store.sync_names()
        unfinished.rename(run_dir / LOG_NAME)
        sync_directory(run_dir)
        sync_directory(run_dir.parent)
        return cls(run_dir, writable=True)

    @property
    def rows(self) -> int:
        """Committed rows."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def committed_length(self, path: str) -> int:
        """Rows that array `path` should have."""
        return self.rows if path.startswith("data/") else len(self.ends)

    def read(self, path: str) -> npt.NDArray[Any]:
        """The committed rows of one array.

        Raises:
            UserError: the array has fewer, or one of its chunks cannot be decoded.
        """
        array, length = self.arrays[path], self.committed_length(path)
        with _readable(self._store.root / path):
            if array.shape[0] < length:
                raise ValueError(f"{array.shape[0]} rows where {_ENDS_PATH} promises {length}")
            return np.asarray(array[:length])

    def fold(self, rows: Rows, finals: FloatArray) -> None:
        """Appends complete episodes; they are committed and durable when this returns.

        Args:
            rows: shape (n,), ending with the end of an episode.
            finals: final observations, shape (episodes, D).
        """
        if not len(rows):
            return
        ends = np.concatenate([self.ends, self.rows + episode_ends(rows)])
        for field in FIELDS:
            _write(self.arrays[f"data/{field.key}"], self.rows, rows[field.key])
        _write(self.arrays[f"meta/{FINAL_KEY}"], len(self.ends), finals)
        self._store.sync_names()
        _write(self.arrays[_ENDS_PATH], len(self.ends), ends[len(self.ends) :])
        self._store.sync_names()
        self.ends = ends

    def truncate(self) -> list[str]:
        """Cuts every array to the commit point and drops temporary files; says what was done."""
        done = []
        for temporary in sorted(self._store.root.rglob("*.partial")):
            temporary.unlink()
            done.append(f"removed {temporary.relative_to(self.run_dir)}")
        for path, array in self.arrays.items():
            length, surplus = self.committed_length(path), array.shape[0]
            if surplus > length:
                array.resize((length, *array.shape[1:]))
                done.append(f"cut {path} from {surplus} to {length} rows")
        self._store.sync_names()
        return done


def _layout(spec: LogSpec) -> list[tuple[str, str, tuple[int, ...]]]:
    """Path, dtype and shape of one row of every array; the commit point first."""
    layout: list[tuple[str, str, tuple[int, ...]]] = [(_ENDS_PATH, "<i8", ())]
    layout += [(f"data/{field.key}", field.dtype, field.shape(spec)) for field in FIELDS]
    return [*layout, (f"meta/{FINAL_KEY}", "<f4", (spec.observation_size,))]


def _committed(ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`ends` without the zeros of a fold that grew the array but did not get to write it."""
    unwritten = np.flatnonzero(ends == 0)
    return ends[: unwritten[0]] if len(unwritten) else ends


def _write(array: zarr.Array[Any], start: int, values: npt.NDArray[Any]) -> None:
    array.resize((start + len(values), *array.shape[1:]))
    array[start:] = np.ascontiguousarray(values)


def _checked_spec(root: Path, attributes: dict[str, Any]) -> LogSpec:
    version = attributes.get("format_version")
    if version is None:
        raise UserError(f"{root}: is not a replay log (no format_version); {_EXPECTED}")
    if version != FORMAT_VERSION:
        raise UserError(f"{root}: is a log of format version {version}; {_EXPECTED}")
    with _readable(root / ".zattrs"):
        return spec_from_json(attributes["spec"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what zarr raises on damaged files into one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read ({reason[:200]}); {_EXPECTED}") from error
