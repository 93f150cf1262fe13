"""Tables that wait in a file until somebody comes to them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa


class Spill:
    """Keeps tables of one schema in a nameless file, compressed (Arrow's stream format, LZ4).

    The file has no name, so that nothing stays behind of a process that is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._whole = 0

    def add(self, table: pa.Table) -> None:
        """Write a table. Raises OSError where the disk refuses; what was written before stays readable."""
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(self._file, table.schema, options=options)
        self._writer.write_batch(table.combine_chunks().to_batches()[0])
        self._file.flush()
        self._whole += 1

    def read(self) -> Iterator[pa.Table]:
        """Yield the tables that were written whole, in their order. Once; nothing can be added any more."""
        if self._whole:
            self._file.seek(0)
            reader = pa.ipc.open_stream(self._file)
            for _ in range(self._whole):
                yield pa.Table.from_batches([reader.read_next_batch()])

    def close(self) -> None:
        """Give the room on the disk back."""
        self._file.close()
