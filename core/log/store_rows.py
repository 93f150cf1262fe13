"""SQL of recorded rows: the notes of a transaction, the triggers that make them, whole tables to compare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from core.database import Connection
from core.log.recorded_rows import RecordedTable, TouchedRow

ADOPTION_LOCK: Final = 0x5348555A524F5753  # "SHUZROWS"
_CHANGES: Final = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


async def take_touched_rows(connection: Connection) -> list[TouchedRow]:
    """Take the notes of this transaction: every row it touched since they were taken last, as it is now."""
    return [_touched(row) for row in await connection.fetch("SELECT * FROM core.take_touched_rows()")]


async def lock_adoption(connection: Connection) -> None:
    """Wait for other processes that adopt tables, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", ADOPTION_LOCK)


async def load_adoptions(connection: Connection) -> list[str]:
    """Load the bodies of the leaves that say which columns of which tables are recorded."""
    rows = await connection.fetch("SELECT body FROM core.log_leaf WHERE event = 'rows.adopted'")
    return [row["body"] for row in rows]


async def load_columns(connection: Connection, *, table: str) -> list[str]:
    """Load the names of a table's columns."""
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attname",
        table,
    )
    return [row["attname"] for row in rows]


async def load_watched(connection: Connection) -> set[str]:
    """Load the names of the tables that have all triggers."""
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.tgname LIKE 'note\\_touched\\_%'"
        " AND t.tgenabled = 'O' GROUP BY 1 HAVING count(*) = 3"
    )
    return {row["name"] for row in rows}


async def watch(connection: Connection, *, table: RecordedTable) -> None:
    """Put the triggers on a table, or put them right."""
    for change, side in _CHANGES.items():
        await connection.execute(
            f"CREATE OR REPLACE TRIGGER note_touched_{change.lower()} AFTER {change} ON {table.name}"
            f" REFERENCING {side} TABLE AS touched FOR EACH STATEMENT"
            f" EXECUTE FUNCTION core.note_touched_rows('{table.columns}')"
        )
    await connection.execute(
        f"ALTER TABLE {table.name} {', '.join(f'ENABLE TRIGGER note_touched_{c.lower()}' for c in _CHANGES)}"
    )


async def read_rows(
    connection: Connection, *, table: RecordedTable
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Read a whole table, row by row: key, and text by column. Inside a transaction."""
    query = "SELECT row_key, content FROM core.read_recorded_rows($1, $2)"
    async for row in connection.cursor(query, table.name, table.columns, prefetch=500):
        yield row["row_key"], row["content"]


async def next_numbers(connection: Connection, *, count: int) -> list[int]:
    """Take numbers for records."""
    rows = await connection.fetch(
        "SELECT nextval('core.recorded_row_number') AS n FROM generate_series(1, $1)", count
    )
    return [row["n"] for row in rows]


async def read_records(
    connection: Connection, *, table: str
) -> AsyncIterator[tuple[str, int, dict[str, str] | None]]:
    """Read what leaves record of a table's rows: key, number, tags; those that wait for their place too."""
    query = (
        "SELECT r ->> 'key' AS key, (r ->> 'number')::bigint AS number, r -> 'tags' AS tags"
        " FROM core.log_leaf l"
        " CROSS JOIN LATERAL jsonb_array_elements(l.body::jsonb #> '{details,rows}') AS r"
        " WHERE l.event = 'rows.recorded' AND r ->> 'table' = $1"
    )
    async for row in connection.cursor(query, table, prefetch=500):
        yield row["key"], row["number"], row["tags"]


def _touched(row: Any) -> TouchedRow:
    return TouchedRow(
        table=row["table_name"], key=row["row_key"], number=row["number"], content=row["content"]
    )


def read_adopted(bodies: Sequence[str]) -> dict[str, set[str]]:
    """Read which columns of which tables were adopted out of their leaves."""
    adopted: dict[str, set[str]] = {}
    for body in bodies:
        for text in json.loads(body)["details"]["tables"]:
            table, _, columns = text.partition(" ")
            adopted.setdefault(table, set()).update(columns.split(","))
    return adopted
