"""All SQL that runs in a subscriber's own MySQL or MariaDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pymysql

from subscriptions.push.columns import (
    EMPTIED_AT_ONCE,
    Column,
    ColumnType,
    cannot_empty,
    find_too_narrow,
    find_withdrawn,
    verify_takes_text,
    write_items,
)
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
NOT_ALLOWED: Final = (1044, 1142)  # ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR
_DECIMAL: Final = re.compile(r"decimal\((\d+),(\d+)\)")
_TYPES: Final = {
    "decimal": ColumnType.NUMBER,
    "date": ColumnType.DAY,
    "datetime": ColumnType.SECOND,
    "timestamp": ColumnType.SECOND,
    "tinyint": ColumnType.TRUTH,
}


def apply(cursor: Any, message: Message, *, commit: Callable[[], None]) -> None:
    """Apply a message and move the place in one transaction; one that was applied changes nothing.

    Tables and columns are made ready before it, each step for good. Raises TargetGone where a column takes no
    text that a mask makes, or cannot be emptied though the grant has its item no more.
    """
    changes = net_changes(message.page)
    table = _quote(str(message.target.address["table"]))
    held = _ensure_tables(cursor, table, changes)
    cursor.execute(f"SELECT * FROM {PLACES} WHERE subscription = %s AND consumer = %s", _who(message))
    found = cursor.fetchone()
    names = [column[0] for column in cursor.description]
    if "items" not in names:
        cursor.execute(f"ALTER TABLE {PLACES} ADD COLUMN items longtext")
    place = dict(zip(names, found, strict=True)) if found else {}
    commit()
    if message.moves_place and place.get("place") == place_of(message.page):
        return
    for name in find_withdrawn(place.get("items"), list(changes.columns), held):
        _empty(cursor, table, name, commit)
    verify_takes_text(changes, held)
    _widen(cursor, table, changes, held)
    _write(cursor, table, changes, message)
    commit()


def _who(message: Message) -> tuple[str, str]:
    return str(message.target.subscription_id), message.target.consumer


def _write(cursor: Any, table: str, changes: NetChanges, message: Message) -> None:
    who = _who(message)
    cursor.execute(
        f"INSERT IGNORE INTO {PLACES} (subscription, consumer, place, updated_at)"
        " VALUES (%s, %s, '', utc_timestamp())",
        who,
    )
    cursor.execute(f"SELECT place FROM {PLACES} WHERE subscription = %s AND consumer = %s FOR UPDATE", who)
    (held,) = cursor.fetchone()
    if message.moves_place and held == place_of(message.page):
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
        f"UPDATE {PLACES} SET place = %s, items = %s, updated_at = utc_timestamp()"
        " WHERE subscription = %s AND consumer = %s",
        (place_of(message.page) if message.moves_place else held, write_items(changes), *who),
    )


def _ensure_tables(cursor: Any, table: str, changes: NetChanges) -> dict[str, Column]:
    """Make the tables, or the columns that came since; return those that the table had."""
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {PLACES} (subscription char(36), consumer varchar(40),"
        f" place varchar(100) NOT NULL, updated_at datetime NOT NULL, items longtext,"
        f" PRIMARY KEY (subscription, consumer)) {TABLE_OPTIONS}"
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
    cursor.execute(f"SHOW FULL COLUMNS FROM {table}")
    names = [column[0] for column in cursor.description]
    held = {row[0]: _read_column(dict(zip(names, row, strict=True))) for row in cursor.fetchall()}
    for name in changes.columns.keys() - held.keys():
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]}")
    return held


def _read_column(row: Mapping[str, Any]) -> Column:
    written = str(row["Type"])
    kind = _TYPES.get(written.partition("(")[0], ColumnType.OTHER)
    if "char" in written or "text" in written:
        kind = ColumnType.TEXT
    bounds = _DECIMAL.fullmatch(written)
    if bounds is None:
        return Column(kind=kind)
    is_plain = row["Null"] == "YES" and row["Default"] is None and not row["Extra"] and not row["Comment"]
    return Column(kind=kind, precision=int(bounds[1]), scale=int(bounds[2]), is_changeable=is_plain)


def _empty(cursor: Any, table: str, name: str, commit: Callable[[], None]) -> None:
    """Empty a column, some rows at a time, each time for good."""
    column, done = _quote(name), EMPTIED_AT_ONCE
    while done == EMPTIED_AT_ONCE:
        try:
            done = cursor.execute(
                f"UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL LIMIT {EMPTIED_AT_ONCE}"
            )
        except pymysql.err.IntegrityError as refused:
            raise cannot_empty(name) from refused
        commit()


def _widen(cursor: Any, table: str, changes: NetChanges, held: Mapping[str, Column]) -> None:
    """Widen decimal columns that a value does not fit; where that is not allowed the value is refused."""
    for name, (precision, scale) in find_too_narrow(changes, held).items():
        try:
            cursor.execute(f"ALTER TABLE {table} MODIFY COLUMN {_quote(name)} decimal({precision},{scale})")
        except pymysql.err.OperationalError as trouble:
            if trouble.args[0] not in NOT_ALLOWED:
                raise


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
