"""Reading the rows of a station as Arrow tables of canonical text, in bounded memory.

PostgreSQL writes them as CSV into a file of the spool folder, from which they are read piece by piece.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from core.database import Connection
from core.threads import make_in_thread
from exchange.accounting import store
from exchange.accounting.store import RowQuery

BLOCK_BYTES: Final = 4 * 1024 * 1024


async def read_rows(
    connection: Connection, query: RowQuery, *, names: Sequence[str], spool_dir: Path
) -> AsyncGenerator[pa.Table, None]:
    """Yield the rows of `query` as tables of text with the columns `names`; null is null."""
    with tempfile.TemporaryDirectory(prefix="rows-", dir=spool_dir) as folder:
        path = Path(folder) / "rows.csv"
        await store.copy_rows(connection, query, path=path)
        if not path.exists() or path.stat().st_size == 0:
            return
        reader = await asyncio.to_thread(_open, path, names)
        try:
            while (batch := await make_in_thread(next, reader, None)) is not None:
                yield pa.Table.from_batches([batch])
        finally:
            reader.close()


def _open(path: Path, names: Sequence[str]) -> pa_csv.CSVStreamingReader:
    return pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=list(names)),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
