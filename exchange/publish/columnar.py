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
        for whole in batches:
            for start in range(0, whole.num_rows, BATCH_ROWS):
                batch = whole.slice(start, BATCH_ROWS)
                columns = {
                    name: _to_text(column)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
                yield DecodedBatch(numbers=range(number, number + batch.num_rows), columns=columns)
                number += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as trouble:
        msg = f"the file cannot be read near row {number}, or holds columns that are not plain values"
        raise BadInput(msg) from trouble


def _to_text(column: pa.Array) -> pa.Array:
    """Write values as text; times as YYYYMMDDhhmmss of Beijing, which those without a zone are taken for."""
    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.timestamp("s", column.type.tz))
        if column.type.tz is not None:
            seconds = seconds.cast(pa.timestamp("s", BEIJING))
        return pc.strftime(seconds, format="%Y%m%d%H%M%S")
    return column.cast(pa.string())
