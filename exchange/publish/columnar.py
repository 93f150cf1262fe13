"""Parquet files and Arrow streams as Arrow batches of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pa_parquet

from core.errors import BadInput
from exchange.publish.decoded import BATCH_ROWS, DecodedBatch

BEIJING: Final = "Asia/Shanghai"
GATHERED_BYTES: Final = 8 * 1024 * 1024


def open_parquet(path: Path) -> tuple[list[str], Iterator[DecodedBatch]]:
    """Open a Parquet file: (names of its columns, batches). Raises pyarrow.ArrowInvalid or OSError."""
    file = pa_parquet.ParquetFile(path)
    return list(file.schema_arrow.names), _read_text(file.iter_batches(batch_size=BATCH_ROWS))


def open_arrow(path: Path) -> tuple[list[str], Iterator[DecodedBatch]]:
    """Open an Arrow IPC stream: (names of its columns, batches). Raises pyarrow.ArrowInvalid or OSError."""
    reader = pa_ipc.open_stream(pa.memory_map(str(path)))
    return list(reader.schema.names), _read_text(iter(reader))


def _read_text(batches: Iterator[pa.RecordBatch]) -> Iterator[DecodedBatch]:
    number = 1
    try:
        for batch in _gather(_write_text(batches)):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield DecodedBatch(numbers=range(number, number + batch.num_rows), columns=columns)
            number += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as trouble:
        msg = f"the file cannot be read near row {number}, or holds columns that are not plain values"
        raise BadInput(msg) from trouble


def _write_text(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for whole in batches:
        for start in range(0, whole.num_rows, BATCH_ROWS):
            batch = whole.slice(start, BATCH_ROWS)
            yield pa.RecordBatch.from_arrays([_to_text(each) for each in batch.columns], batch.schema.names)


def _gather(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put small batches together, in their order: each that is published costs the database a statement.

    What was read before an error is yielded before it is raised, so that its place is known.
    """
    small: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    try:
        for batch in batches:
            if rows + batch.num_rows > BATCH_ROWS or size_bytes + batch.nbytes > GATHERED_BYTES:
                yield from _join(small)
                small, rows, size_bytes = [], 0, 0
            small.append(batch)
            rows, size_bytes = rows + batch.num_rows, size_bytes + batch.nbytes
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
        yield from _join(small)
        raise
    yield from _join(small)


def _join(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Make one batch of several; nothing of none."""
    if len(batches) < 2:
        return batches
    joined: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


def _to_text(column: pa.Array) -> pa.Array:
    """Write values as text; times as YYYYMMDDhhmmss of Beijing, which those without a zone are taken for."""
    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.timestamp("s", column.type.tz))
        if column.type.tz is not None:
            seconds = seconds.cast(pa.timestamp("s", BEIJING))
        return pc.strftime(seconds, format="%Y%m%d%H%M%S")
    return column.cast(pa.string())
