"""All SQL that runs in a subscriber's own MySQL or MariaDB."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from subscriptions.push.model import Message
from subscriptions.push.net_changes import (
    MAX_KEY_CHARACTERS,
    NetChanges,
    net_changes,
    place_of,
    without_zone,
)
from subscriptions.push.store_postgresql import PLACES

TABLE_OPTIONS: Final = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


def apply(cursor: Any, message: Message) -> None:
    """Apply a message and move the place; the caller commits. One that was applied changes nothing."""
    changes = net_changes(message.page)
    table = _quote(str(message.target.address["table"]))
    _ensure_tables(cursor, table, changes)
    _write(cursor, table, changes, message)


def _write(cursor: Any, table: str, changes: NetChanges, message: Message) -> None:
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
