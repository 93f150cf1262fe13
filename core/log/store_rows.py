"""SQL of recorded rows: the notes of a transaction, the triggers that make them, whole tables to compare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from core.database import Connection
from core.log.recorded_rows import RecordedTable, TouchedRow

ADOPTION_LOCK: Final = 0x5348555A524F5753  # "SHUZROWS"


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


async def load_watched(connection: Connection) -> dict[str, set[str]]:
    """Load the triggers of tables that are there and at work, as `describe_triggers` writes them."""
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS table, t.tgname AS name, p.proname AS function,"
        " t.tgargs AS args"
        " FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE p.proname IN ('note_touched_rows', 'note_changed_rows') AND t.tgenabled = 'O'"
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        arguments = row["args"].decode().split("\0")[:-1]
        described = f"{row['name']} {row['function']} {arguments}"
        found.setdefault(row["table"], set()).add(described)
    return found


def describe_triggers(table: RecordedTable) -> set[str]:
    """Describe the triggers that a table must have."""
    return {f"{name} {function} {list(arguments)}" for name, _, _, function, arguments in _triggers(table)}


async def watch(connection: Connection, *, table: RecordedTable) -> None:
    """Put the triggers on a table, or put them right."""
    for name, change, tables, function, arguments in _triggers(table):
        quoted = ", ".join(f"'{each}'" for each in arguments)
        await connection.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {change} ON {table.name} REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION core.{function}({quoted})"
        )
        await connection.execute(f"ALTER TABLE {table.name} ENABLE TRIGGER {name}")


def _triggers(table: RecordedTable) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """List name, change, transition tables, function and arguments of the triggers of a table."""
    key, passing = table.columns, ",".join(sorted(table.passing))
    return [
        ("note_touched_insert", "INSERT", "NEW TABLE AS touched", "note_touched_rows", (key,)),
        ("note_touched_delete", "DELETE", "OLD TABLE AS touched", "note_touched_rows", (key,)),
        (
            "note_touched_update",
            "UPDATE",
            "OLD TABLE AS former NEW TABLE AS touched",
            "note_changed_rows",
            (key, passing),
        ),
    ]


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
