"""Bringing changes into a PostgreSQL table of the subscriber, exactly once.

The place in the feed stands in a table beside it (`shuzheng_place`) and moves in the transaction of the rows:
a message that comes again is known by it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import asyncpg
import pyarrow as pa

from core.database.names import quote_name
from subscriptions.push.addresses import AddressBook
from subscriptions.push.model import DeliveryFailed, Message, MessageRefused, TargetDown
from subscriptions.push.net_changes import NetChanges, net_changes, place_of

TIMEOUT_S: Final = 45.0
CONNECT_TIMEOUT_S: Final = 10.0
PLACES: Final = "shuzheng_place"
REFUSING: Final = ("22", "23")  # data exceptions and integrity violations (PostgreSQL 18, appendix A)


class PostgresCarrier:
    """Writes messages into tables, which it makes where they are missing."""

    def __init__(self, *, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def deliver(self, message: Message, secret: str | None) -> None:
        """Apply a message in one transaction. Raises TargetDown, MessageRefused or TargetGone."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = await self._connect(message, secret)
                try:
                    async with connection.transaction():
                        await _apply(connection, message)
                finally:
                    connection.terminate()
        except asyncpg.PostgresError as trouble:
            raise _explain(trouble) from trouble
        except (OSError, TimeoutError, ssl.SSLError, asyncpg.InterfaceError) as trouble:
            msg = f"the database does not answer ({type(trouble).__name__})"
            raise TargetDown(msg) from trouble

    async def _connect(self, message: Message, secret: str | None) -> asyncpg.Connection[asyncpg.Record]:
        address = message.target.address
        place = await self._addresses.find(str(address["host"]), int(str(address["port"])))
        return await asyncpg.connect(
            host=str(place.address),
            port=place.port,
            database=str(address["database"]),
            user=str(address["user"]),
            password=secret,
            ssl=build_ssl(str(address["ssl"])) or False,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": "shuzheng", "timezone": "UTC"},
        )


def build_ssl(mode: str) -> ssl.SSLContext | None:
    """Build what `disable`, `require` and `verify` stand for.

    `verify` asks for a certificate of a known authority; the name in it is not compared, because the
    connection goes to an address.
    """
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


async def _apply(connection: asyncpg.Connection[asyncpg.Record], message: Message) -> None:
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


def _explain(trouble: asyncpg.PostgresError) -> DeliveryFailed:
    """Say what the database complains of by its code alone: its words may quote a row."""
    state = str(trouble.sqlstate or "")
    reason = f"the database refuses (SQLSTATE {state}, {type(trouble).__name__})"
    return MessageRefused(reason) if state[:2] in REFUSING else TargetDown(reason)
