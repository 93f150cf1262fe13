"""What a query answers, written to a file by COPY."""

from __future__ import annotations

from pathlib import Path

from core.database.pool import Connection


async def copy_to_file(connection: Connection, query: str, *parameters: object, path: Path) -> None:
    """Write the rows of a query to a file as CSV in UTF-8, null as nothing.

    The file is opened here: one that asyncpg opens stays open where the task is cancelled in that moment.
    """
    with path.open("wb") as output:
        await connection.copy_from_query(
            query, *parameters, output=output, format="csv", encoding="utf-8", timeout=None
        )
