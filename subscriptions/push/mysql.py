"""Bringing changes into a MySQL or MariaDB table of the subscriber, exactly once.

As for PostgreSQL the place moves in the transaction of the rows. Tables and columns are made before it,
because MySQL commits at every definition.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pyarrow as pa
import pymysql

from subscriptions.push.addresses import AddressBook, Place
from subscriptions.push.model import Message, MessageRefused, TargetDown
from subscriptions.push.net_changes import (
    MAX_KEY_CHARACTERS,
    NetChanges,
    net_changes,
    place_of,
    without_zone,
)
from subscriptions.push.postgresql import PLACES, build_ssl

CONNECT_TIMEOUT_S: Final = 10
IO_TIMEOUT_S: Final = 40
TABLE_OPTIONS: Final = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


class MySqlCarrier:
    """Writes messages into tables, which it makes where they are missing."""

    def __init__(self, *, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def deliver(self, message: Message, secret: str | None) -> None:
        """Apply a message in one transaction. Raises TargetDown, MessageRefused or TargetGone."""
        address = message.target.address
        place = await self._addresses.find(str(address["host"]), int(str(address["port"])))
        try:
            await asyncio.to_thread(_deliver, message, place, secret or "")
        except (pymysql.err.DataError, pymysql.err.IntegrityError) as trouble:
            raise MessageRefused(_explain(trouble)) from trouble
        except pymysql.err.Error as trouble:
            raise TargetDown(_explain(trouble)) from trouble
        except (OSError, TimeoutError) as trouble:
            msg = f"the database does not answer ({type(trouble).__name__})"
            raise TargetDown(msg) from trouble


def _explain(trouble: pymysql.err.Error) -> str:
    """Say what the database complains of by its number alone: its words may quote a row."""
    number = trouble.args[0] if trouble.args and isinstance(trouble.args[0], int) else 0
    return f"the database refuses (error {number}, {type(trouble).__name__})"


def _deliver(message: Message, place: Place, password: str) -> None:
    address = message.target.address
    connection = pymysql.connect(
        host=str(place.address),
        port=place.port,
        user=str(address["user"]),
        password=password,
        database=str(address["database"]),
        ssl=build_ssl(str(address["ssl"])),
        charset="utf8mb4",
        autocommit=False,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=IO_TIMEOUT_S,
        write_timeout=IO_TIMEOUT_S,
        local_infile=False,
        init_command="SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
    )
    try:
        with connection.cursor() as cursor:
            changes = net_changes(message.page)
            table = _quote(str(address["table"]))
            _ensure_tables(cursor, table, changes)
            _apply(cursor, table, changes, message)
        connection.commit()
    finally:
        connection.close()


def _apply(cursor: Any, table: str, changes: NetChanges, message: Message) -> None:
    who = (str(message.target.subscription_id), message.target.consumer)
    cursor.execute(f"INSERT IGNORE INTO {PLACES} VALUES (%s, %s, '', utc_timestamp())", who)
    cursor.execute(f"SELECT place FROM {PLACES} WHERE subscription = %s AND consumer = %s FOR UPDATE", who)
    if cursor.fetchone()[0] == place_of(message.page):
        return
    if changes.deletes:
        tests = " AND ".join(f"{_quote(name)} = %s" for name in changes.keys)
        cursor.executemany(f"DELETE FROM {table} WHERE {tests}", _plain(changes.deletes))
    if changes.upserts:
        names = ", ".join(map(_quote, changes.columns))
        marks = ", ".join(["%s"] * len(changes.columns))
        written = changes.values or changes.keys[:1]
        sets = ", ".join(f"{_quote(name)} = VALUES({_quote(name)})" for name in written)
        cursor.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) ON DUPLICATE KEY UPDATE {sets}",
            _plain(changes.upserts),
        )
    cursor.execute(
        f"UPDATE {PLACES} SET place = %s, updated_at = utc_timestamp()"
        " WHERE subscription = %s AND consumer = %s",
        (place_of(message.page), *who),
    )


def _ensure_tables(cursor: Any, table: str, changes: NetChanges) -> None:
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {PLACES} (subscription char(36), consumer varchar(40),"
        f" place varchar(100) NOT NULL, updated_at datetime NOT NULL, PRIMARY KEY (subscription, consumer))"
        f" {TABLE_OPTIONS}"
    )
    columns = {
        name: f"{_quote(name)} {_sql_type(kind, is_key=name in changes.keys)}"
        for name, kind in changes.columns.items()
    }
    keys = ", ".join(map(_quote, changes.keys))
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns.values())}, PRIMARY KEY ({keys}))"
        f" {TABLE_OPTIONS}"
    )
    cursor.execute(f"SHOW COLUMNS FROM {table}")
    for name in changes.columns.keys() - {row[0] for row in cursor.fetchall()}:
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]}")


def _plain(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [tuple(map(without_zone, row)) for row in rows]


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _sql_type(kind: pa.DataType, *, is_key: bool) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "datetime(6)"
    if pa.types.is_boolean(kind):
        return "boolean"
    return f"varchar({MAX_KEY_CHARACTERS})" if is_key else "longtext"
