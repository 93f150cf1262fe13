"""Rows into the database, and what a query answers out of it into a file, by COPY."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from pathlib import Path
from typing import Final, cast

from core.database.pool import Connection

PIECE_BYTES: Final = 512 * 1024


async def copy_rows(
    connection: Connection, table: str, *, columns: Sequence[str], data: bytes, schema: str | None = None
) -> None:
    """Copy rows in the format of binary COPY into a table, however long that takes.

    They go in pieces of our own: around a file, asyncpg makes a class for each copy, and what the file holds
    stays in memory until the garbage collector comes by.
    """
    pieces = cast(AsyncIterable[bytes], _cut(data))  # which asyncpg takes of any kind of octets
    await connection.copy_to_table(
        table, schema_name=schema, source=pieces, columns=list(columns), format="binary", timeout=None
    )


async def _cut(data: bytes) -> AsyncIterator[memoryview]:
    with memoryview(data) as view:
        for start in range(0, len(view), PIECE_BYTES):
            with view[start : start + PIECE_BYTES] as piece:
                yield piece


async def copy_to_file(connection: Connection, query: str, *parameters: object, path: Path) -> None:
    """Write the rows of a query to a file as CSV in UTF-8, null as nothing.

    The file is opened here: one that asyncpg opens stays open where the task is cancelled in that moment.
    """
    with path.open("wb") as output:
        await connection.copy_from_query(
            query, *parameters, output=output, format="csv", encoding="utf-8", timeout=None
        )
