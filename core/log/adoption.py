"""Beginning to record a table: its triggers, its rows as they stand, and the leaf that says so.

Once a table's columns are adopted, which a leaf says for good, every row must have been recorded by the leaf
of an act. So rows that come in while the triggers are away are found, and never adopted afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Connection, Database
from core.log import store_rows
from core.log.model import Event
from core.log.recorded_rows import RecordedTable, TouchedRow
from core.log.writer import LogWriter

ADOPTED_AT_ONCE = 500


async def adopt_tables(database: Database, log: LogWriter, tables: Sequence[RecordedTable]) -> None:
    """Watch all tables; record the rows of those, or of those columns, that no leaf has adopted."""
    async with database.transaction() as connection:
        await store_rows.lock_adoption(connection)
        adopted = store_rows.read_adopted(await store_rows.load_adoptions(connection))
        watched = await store_rows.load_watched(connection)
        lines = []
        for table in tables:
            if watched.get(table.name) != store_rows.describe_triggers(table):
                await store_rows.watch(connection, table=table)
            columns = await store_rows.load_columns(connection, table=table.name)
            new = [name for name in columns if name not in adopted.get(table.name, set())]
            if new:
                await _record_as_they_stand(connection, log, table, new)
                lines.append(f"{table.name} {','.join(new)}")
        if lines:
            await log.append(connection, event=Event.ROWS_ADOPTED, caller=None, details={"tables": lines})


async def _record_as_they_stand(
    connection: Connection, log: LogWriter, table: RecordedTable, columns: Sequence[str]
) -> None:
    rows = []
    async for key, content in store_rows.read_rows(connection, table=table):
        rows.append((key, {name: content[name] for name in columns}))
    for start in range(0, len(rows), ADOPTED_AT_ONCE):
        piece = rows[start : start + ADOPTED_AT_ONCE]
        numbers = await store_rows.next_numbers(connection, count=len(piece))
        await log.record_rows(
            connection,
            [
                TouchedRow(table=table.name, key=key, number=number, content=content)
                for (key, content), number in zip(piece, numbers, strict=True)
            ],
            act=None,
        )
