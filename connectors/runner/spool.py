"""Writing rows into the file of a parcel, and keeping the folder of such files clean."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc as pa_ipc

from connectors.model import Operation, Parcel

SUFFIX: Final = ".arrow"
JOINED_ROWS: Final = 65_536
JOINED_BYTES: Final = 16 * 1024 * 1024
UPLOAD: Final = ".upload"  # a note of a sink beside a parcel
_OPEN: Final = ".open"
# At its first level Zstandard is faster than LZ4 on rows of text, as it has two fifths less to write.
_CODEC: Final = pa.Codec("zstd", compression_level=1)


class ParcelFile:
    """A parcel that is being written. `close` makes it whole and safe on disk; `drop` leaves nothing."""

    def __init__(
        self,
        folder: Path,
        *,
        number: int,
        operation: Operation,
        schema: pa.Schema,
        joined_rows: int = JOINED_ROWS,
    ) -> None:
        self.operation, self.schema, self.number = operation, schema, number
        self._joined_rows = joined_rows
        self.rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._path = folder / f"{number:08}{SUFFIX}"
        self._open_path = self._path.with_suffix(_OPEN)
        self._sink = _Hashed(self._open_path)
        self._writer: Any = pa_ipc.new_stream(
            self._sink, schema, options=pa_ipc.IpcWriteOptions(compression=_CODEC)
        )

    @property
    def size_bytes(self) -> int:
        """How much was written so far, and what waits to be."""
        return self._sink.size_bytes + self._waiting_bytes

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows of the parcel's schema. Batches are joined to some that a reader works on at once."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self._waiting_bytes += rows.nbytes
        self.rows += rows.num_rows
        if self._waiting_bytes >= JOINED_BYTES:
            self._flush(self._waiting_rows)
        elif self._waiting_rows >= self._joined_rows:
            self._flush(self._waiting_rows - self._waiting_rows % self._joined_rows)

    def _flush(self, rows: int) -> None:
        """Write the first of the rows that wait."""
        whole = pa.Table.from_batches(self._waiting, schema=self.schema).combine_chunks()
        self._writer.write_table(whole.slice(0, rows), max_chunksize=self._joined_rows)
        self._waiting = whole.slice(rows).to_batches()
        self._waiting_rows = whole.num_rows - rows
        self._waiting_bytes = sum(batch.nbytes for batch in self._waiting)

    def close(self, *, connector: str, key: str) -> Parcel:
        """Finish the file: its bytes are on the disk, under its final name, when this returns."""
        self._flush(self._waiting_rows)
        self._writer.close()
        self._sink.finish()
        self._open_path.rename(self._path)
        sync_folder(self._path.parent)
        return Parcel(
            connector=connector,
            number=self.number,
            key=key,
            operation=self.operation,
            path=self._path,
            rows=self.rows,
            size_bytes=self._sink.size_bytes,
            digest=self._sink.hexdigest(),
        )

    def drop(self) -> None:
        """Give the file up."""
        self._sink.finish()
        self._open_path.unlink(missing_ok=True)


class _Hashed:
    """A file that counts and hashes what is written to it; pyarrow writes to anything of this shape."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=1024 * 1024)
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write a piece."""
        self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Pyarrow asks for it; the disk gets everything in `finish`."""

    def finish(self) -> None:
        """Bring everything to the disk and close. It may be called twice."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self.closed = True

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was written."""
        return self._hash.hexdigest()


def sync_file(path: Path) -> None:
    """Bring a file to the disk."""
    sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean_spool(folder: Path, *, needed: Collection[str]) -> None:
    """Make the folder where it is missing; remove files of ours that no parcel needs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in folder.iterdir():
        parcel = path.with_suffix(SUFFIX).name if path.suffix == UPLOAD else path.name
        if path.suffix in {SUFFIX, _OPEN, UPLOAD} and parcel not in needed:
            path.unlink()
