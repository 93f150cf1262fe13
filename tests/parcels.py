"""Parcels for tests of sinks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.model import Operation, Parcel


def build_parcel(
    folder: Path, number: int, rows: pa.Table | list[dict[str, Any]], operation: Operation = Operation.UPSERT
) -> Parcel:
    """Write rows as a parcel of the connector `c`."""
    path = folder / f"{number}.arrow"
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return Parcel(
        connector="c",
        number=number,
        key=f"c.1.{number}",
        operation=operation,
        path=path,
        rows=table.num_rows,
        size_bytes=path.stat().st_size,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
