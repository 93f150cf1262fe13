"""All SQL that runs in a subscriber's own PostgreSQL."""

from __future__ import annotations

from typing import Final

import asyncpg
import pyarrow as pa

from core.database.names import quote_name
from subscriptions.push.model import Message
from subscriptions.push.net_changes import NetChanges, net_changes, place_of

PLACES: Final = "shuzheng_place"


async def apply(connection: asyncpg.Connection[asyncpg.Record], message: Message) -> None:
    """Apply a message and move the place, in the caller's transaction; what was applied changes nothing."""
    address = message.target.address
    schema = quote_name(str(address["schema"]))
    places = f"{schema}.{PLACES}"
    table = f"{schema}.{quote_name(str(address['table']))}"
    subscription, consumer = message.target.subscription_id, message.target.consumer
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {places} (subscription uuid, consumer text, place text NOT NULL,"
        " updated_at timestamptz NOT NULL, PRIMARY KEY (subscription, consumer))"
    )
    await connection.execute(
        f"INSERT INTO {places} VALUES ($1, $2, '', now()) ON CONFLICT DO NOTHING", subscription, consumer
    )
    held = await connection.fetchval(
        f"SELECT place FROM {places} WHERE subscription = $1 AND consumer = $2 FOR UPDATE",
        subscription,
        consumer,
    )
    if held == place_of(message.page):
        return
    changes = net_changes(message.page)
    await _ensure_table(connection, table, changes)
    await _write(connection, table, changes)
    await connection.execute(
        f"UPDATE {places} SET place = $3, updated_at = now() WHERE subscription = $1 AND consumer = $2",
        subscription,
        consumer,
        place_of(message.page),
    )


async def _ensure_table(
    connection: asyncpg.Connection[asyncpg.Record], table: str, changes: NetChanges
) -> None:
    """Make the table, or the columns that came since; nothing is ever dropped or retyped."""
    columns = {name: f"{quote_name(name)} {_sql_type(kind)}" for name, kind in changes.columns.items()}
    keys = ", ".join(map(quote_name, changes.keys))
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns.values())}, PRIMARY KEY ({keys}))"
    )
    found = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0", table
    )
    for name in changes.columns.keys() - {row["attname"] for row in found}:
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]}")


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
