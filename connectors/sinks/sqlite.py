"""A table of a SQLite file, kept as the rows say: made where it is missing, merged by key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pydantic import Field

from connectors.errors import ConnectorError, TerminalError, TransientError
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.protocols import BaseSink
from connectors.sources.tables import quote_standard as quote

BUSY_S: Final[float] = 10
_PARCELS: Final = (
    "CREATE TABLE IF NOT EXISTS _shuzheng_parcel"
    " (key TEXT PRIMARY KEY, receipt TEXT NOT NULL, written_at TEXT NOT NULL DEFAULT current_timestamp)"
)


class SqliteSinkOptions(Options):
    """The options of `kind = "sqlite"`."""

    file: Path
    table: str
    key: tuple[str, ...] = Field(min_length=1)


class SqliteSink(BaseSink):
    """Merges parcels by key, each in one transaction with a note of its own key."""

    options_model = SqliteSinkOptions

    def __init__(self, options: SqliteSinkOptions) -> None:
        self._options = options

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything, exactly once."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel in one transaction; one that was written before gets its first answer."""
        try:
            connection = sqlite3.connect(self._options.file, timeout=BUSY_S, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                receipt = self._write(connection, parcel)
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.Error as trouble:
            raise _translate(trouble) from trouble
        return receipt

    def _write(self, connection: sqlite3.Connection, parcel: Parcel) -> Receipt:
        connection.execute(_PARCELS)
        known = connection.execute("SELECT receipt FROM _shuzheng_parcel WHERE key = ?", [parcel.key])
        if found := known.fetchone():
            return Receipt(**json.loads(found[0]))
        schema = parcel.read_schema()
        self._prepare(connection, schema)
        if parcel.operation is Operation.SNAPSHOT:
            connection.execute(f"DELETE FROM {quote(self._options.table)}")  # noqa: S608 - quoted
        names = self._options.key if parcel.operation is Operation.DELETE else schema.names
        statement = self._statement(parcel.operation, names)
        for batch in parcel.read():
            connection.executemany(statement, _rows(batch, names))
        receipt = {"accepted": parcel.rows, "reference": parcel.key}
        connection.execute(
            "INSERT INTO _shuzheng_parcel (key, receipt) VALUES (?, ?)", [parcel.key, json.dumps(receipt)]
        )
        return Receipt(accepted=parcel.rows, reference=parcel.key)

    def _prepare(self, connection: sqlite3.Connection, schema: pa.Schema) -> None:
        """Make the table, or add columns that are new."""
        table, key = quote(self._options.table), self._options.key
        if missing := [name for name in key if name not in schema.names]:
            msg = f"the rows have no column {', '.join(missing)}, which the sink's key names"
            raise TerminalError(msg)
        columns = ", ".join(f"{quote(field.name)} {_column_type(field.type)}" for field in schema)
        primary = ", ".join(map(quote, key))
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({primary}))")
        there = {
            row[0]
            for row in connection.execute("SELECT name FROM pragma_table_info(?)", [self._options.table])
        }
        for field in schema:
            if field.name not in there:
                connection.execute(
                    f"ALTER TABLE {table} ADD COLUMN {quote(field.name)} {_column_type(field.type)}"
                )

    def _statement(self, operation: Operation, names: Iterable[str]) -> str:
        table, key = quote(self._options.table), self._options.key
        quoted = [quote(name) for name in names]
        if operation is Operation.DELETE:
            conditions = " AND ".join(f"{name} = ?" for name in quoted)
            return f"DELETE FROM {table} WHERE {conditions}"  # noqa: S608 - quoted
        held = ", ".join("?" for _ in quoted)
        others = ", ".join(f"{quote(n)} = excluded.{quote(n)}" for n in names if n not in key)
        act = f"UPDATE SET {others}" if others else "NOTHING"
        return (
            f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({held})"  # noqa: S608 - quoted
            f" ON CONFLICT ({', '.join(map(quote, key))}) DO {act}"
        )


def _rows(batch: pa.RecordBatch, names: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    columns = [[_to_sqlite(value) for value in batch.column(name).to_pylist()] for name in names]
    return zip(*columns, strict=True)


def _to_sqlite(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, str, bytes)):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else value.isoformat()


def _column_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    return "BLOB" if pa.types.is_binary(kind) else "TEXT"


def _translate(trouble: sqlite3.Error) -> ConnectorError:
    name = getattr(trouble, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return TransientError(f"the file is locked ({name})")
    return TerminalError(f"SQLite says: {trouble}")
