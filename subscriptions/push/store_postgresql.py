"""All SQL that runs in a subscriber's own PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import asyncpg
import pyarrow as pa

from core.database.names import quote_name
from subscriptions.push.columns import (
    EMPTIED_AT_ONCE,
    Column,
    ColumnType,
    cannot_empty,
    find_too_narrow,
    find_withdrawn,
    verify_takes_text,
    write_as_text,
    write_items,
)
from subscriptions.push.model import Message
from subscriptions.push.net_changes import NetChanges, net_changes, place_of

PLACES: Final = "shuzheng_place"
_TYPES: Final = {
    "numeric": ColumnType.NUMBER,
    "date": ColumnType.DAY,
    "timestamp with time zone": ColumnType.SECOND,
    "timestamp without time zone": ColumnType.SECOND,
    "boolean": ColumnType.TRUTH,
}


async def apply(
    connection: asyncpg.Connection[asyncpg.Record], message: Message, *, emptied: Sequence[str] = ()
) -> list[str]:
    """Apply a message and move the place, in the caller's transaction; what was applied changes nothing.

    A dead letter moves no place. Where columns follow no item of the grant any more, nothing is applied and
    they are returned: `empty` them and come again with them as `emptied`. Raises TargetGone where a column
    takes no text that a mask makes.
    """
    places, table = f"{_schema(message)}.{PLACES}", _table(message)
    held = await _hold_place(connection, places, message)
    if message.moves_place and held["place"] == place_of(message.page):
        return []
    changes = net_changes(message.page)
    columns = await _ensure_table(connection, table, changes)
    withdrawn = find_withdrawn(held["items"], list(changes.columns), columns)
    if set(withdrawn) - set(emptied):
        return withdrawn
    verify_takes_text(changes, columns)
    await _widen(connection, table, changes, columns)
    await _write(connection, table, write_as_text(changes, columns))
    await connection.execute(
        f"UPDATE {places} SET place = $3, items = $4, updated_at = now()"
        " WHERE subscription = $1 AND consumer = $2",
        message.target.subscription_id,
        message.target.consumer,
        place_of(message.page) if message.moves_place else held["place"],
        write_items(changes),
    )
    return []


async def empty(
    connection: asyncpg.Connection[asyncpg.Record], message: Message, columns: Sequence[str]
) -> None:
    """Empty columns, some rows at a time, each time for good. Raises TargetGone where one takes no null."""
    table = _table(message)
    for name in columns:
        column = quote_name(name)
        some = f"SELECT ctid FROM {table} WHERE {column} IS NOT NULL LIMIT {EMPTIED_AT_ONCE}"
        left = True
        while left:
            try:
                done = await connection.execute(
                    f"UPDATE {table} SET {column} = NULL WHERE ctid = ANY(ARRAY({some}))"
                )
            except asyncpg.IntegrityConstraintViolationError as refused:
                raise cannot_empty(name) from refused
            left = not done.endswith(" 0")


def _schema(message: Message) -> str:
    return quote_name(str(message.target.address["schema"]))


def _table(message: Message) -> str:
    return f"{_schema(message)}.{quote_name(str(message.target.address['table']))}"


async def _hold_place(
    connection: asyncpg.Connection[asyncpg.Record], places: str, message: Message
) -> Mapping[str, str | None]:
    """Lock the place of a consumer, and read with it which items it has brought so far."""
    subscription, consumer = message.target.subscription_id, message.target.consumer
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {places} (subscription uuid, consumer text, place text NOT NULL,"
        " updated_at timestamptz NOT NULL, items text, PRIMARY KEY (subscription, consumer))"
    )
    await connection.execute(
        f"INSERT INTO {places} (subscription, consumer, place, updated_at) VALUES ($1, $2, '', now())"
        " ON CONFLICT DO NOTHING",
        subscription,
        consumer,
    )
    select = f"SELECT * FROM {places} WHERE subscription = $1 AND consumer = $2 FOR UPDATE"
    held = await connection.fetchrow(select, subscription, consumer)
    assert held is not None
    if "items" in held:
        return {"place": held["place"], "items": held["items"]}
    await connection.execute(f"ALTER TABLE {places} ADD COLUMN items text")
    return {"place": held["place"], "items": None}


async def _ensure_table(
    connection: asyncpg.Connection[asyncpg.Record], table: str, changes: NetChanges
) -> dict[str, Column]:
    """Make the table, or the columns that came since; return those that it had. Nothing is ever dropped."""
    columns = {name: f"{quote_name(name)} {_sql_type(kind)}" for name, kind in changes.columns.items()}
    keys = ", ".join(map(quote_name, changes.keys))
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns.values())}, PRIMARY KEY ({keys}))"
    )
    found = await connection.fetch(
        "SELECT a.attname, a.atttypid::regtype::text AS type, a.atttypmod, t.typcategory = 'S' AS is_text"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped",
        table,
    )
    held = {row["attname"]: _read_column(row) for row in found}
    for name in changes.columns.keys() - held.keys():
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]}")
    return held


def _read_column(row: asyncpg.Record) -> Column:
    """Read a column's type; the bounds of a decimal are packed into its modifier (numeric.c)."""
    kind = ColumnType.TEXT if row["is_text"] else _TYPES.get(row["type"], ColumnType.OTHER)
    bounds = row["atttypmod"] - 4
    if kind is not ColumnType.NUMBER or bounds < 0:
        return Column(kind=kind)
    return Column(kind=kind, precision=bounds >> 16 & 0xFFFF, scale=bounds & 0x7FF)


async def _widen(
    connection: asyncpg.Connection[asyncpg.Record],
    table: str,
    changes: NetChanges,
    held: Mapping[str, Column],
) -> None:
    """Widen decimal columns that a value does not fit; where that is not allowed the value is refused."""
    for name, (precision, scale) in find_too_narrow(changes, held).items():
        with suppress(asyncpg.FeatureNotSupportedError, asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(
                    f"ALTER TABLE {table} ALTER COLUMN {quote_name(name)} TYPE numeric({precision},{scale})"
                )


async def _write(connection: asyncpg.Connection[asyncpg.Record], table: str, changes: NetChanges) -> None:
    if changes.deletes:
        tests = " AND ".join(f"{quote_name(name)} = ${n}" for n, name in enumerate(changes.keys, start=1))
        await connection.executemany(f"DELETE FROM {table} WHERE {tests}", changes.deletes)
    if changes.upserts:
        names = [quote_name(name) for name in changes.columns]
        places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
        sets = ", ".join(f"{quote_name(name)} = EXCLUDED.{quote_name(name)}" for name in changes.values)
        keys = ", ".join(map(quote_name, changes.keys))
        await connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"
            f" ON CONFLICT ({keys}) {f'DO UPDATE SET {sets}' if sets else 'DO NOTHING'}",
            changes.upserts,
        )


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    return "boolean" if pa.types.is_boolean(kind) else "text"
