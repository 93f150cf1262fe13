"""A table of MySQL or MariaDB, kept as the rows say: made where it is missing, merged by key."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.mysql import ServerOptions, connect, quote, told_plainly
from connectors.protocols import BaseSink
from connectors.sinks.tables import (
    MAX_KEY_CHARACTERS,
    PARCELS,
    ColumnKind,
    TableSinkOptions,
    choose_columns,
    kind_of,
    read_checked,
    read_receipt,
    read_tuples,
    without_zone,
    write_receipt,
)

STATEMENT_ROWS: Final = 1000


class MysqlSinkOptions(ServerOptions, TableSinkOptions):
    """The options of `kind = "mysql"`."""


class MysqlSink(BaseSink):
    """Merges parcels by key, each in one transaction with a note of its own key. Times are kept in UTC.

    The role needs SELECT, INSERT, UPDATE, DELETE, and CREATE and ALTER where tables are to be made.
    """

    options_model = MysqlSinkOptions

    def __init__(self, options: MysqlSinkOptions) -> None:
        self._options = options

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything, exactly once."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel; one that was written before gets its first answer."""
        schema = read_checked(parcel, self._options.key)
        with told_plainly():
            connection = connect(self._options, autocommit=False)
            try:
                with connection.cursor() as cursor:
                    self._prepare(cursor, connection, schema)
                    receipt = self._write(cursor, parcel)
                connection.commit()
            finally:
                connection._force_close()
        return receipt

    def _write(self, cursor: Any, parcel: Parcel) -> Receipt:
        receipt = Receipt(accepted=parcel.rows, reference=parcel.key)
        notes = quote(PARCELS)
        taken = cursor.execute(
            f"INSERT IGNORE INTO {notes} (parcel, receipt) VALUES (%s, %s)",  # noqa: S608 - quoted
            (parcel.key, write_receipt(receipt)),
        )
        if not taken:
            cursor.execute(f"SELECT receipt FROM {notes} WHERE parcel = %s", (parcel.key,))  # noqa: S608
            return read_receipt(cursor.fetchone()[0])
        if parcel.operation is Operation.SNAPSHOT:
            cursor.execute(f"DELETE FROM {quote(self._options.table)}")  # noqa: S608 - quoted
        names = choose_columns(parcel, self._options.key)
        statement = self._statement(parcel.operation, names)
        for rows in read_tuples(parcel, names, without_zone):
            for start in range(0, len(rows), STATEMENT_ROWS):
                cursor.executemany(statement, rows[start : start + STATEMENT_ROWS])
        return receipt

    def _prepare(self, cursor: Any, connection: Any, schema: pa.Schema) -> None:
        """Make the tables, or add columns that are new. Each such statement commits by itself."""
        table, key = quote(self._options.table), self._options.key
        ending = f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={_choose_collation(connection)}"
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {quote(PARCELS)} (parcel varchar(255) PRIMARY KEY,"
            f" receipt text NOT NULL, written_at timestamp NOT NULL DEFAULT current_timestamp) {ending}"
        )
        columns = {
            field.name: f"{quote(field.name)} {_column_type(field.type, is_key=field.name in key)}"
            for field in schema
        }
        primary = ", ".join(map(quote, key))
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns.values())}, PRIMARY KEY ({primary}))"
            f" {ending}"
        )
        cursor.execute(f"SHOW COLUMNS FROM {table}")
        there = {row[0].lower() for row in cursor.fetchall()}
        for name in schema.names:
            if name.lower() not in there:
                cursor.execute(f"ALTER TABLE {table} ADD COLUMN {columns[name]}")

    def _statement(self, operation: Operation, names: list[str]) -> str:
        table = quote(self._options.table).replace("%", "%%")
        quoted = {name: quote(name).replace("%", "%%") for name in names}
        if operation is Operation.DELETE:
            conditions = " AND ".join(f"{name} = %s" for name in quoted.values())
            return f"DELETE FROM {table} WHERE {conditions}"  # noqa: S608 - quoted
        others = [name for name in names if name not in self._options.key] or names[:1]
        sets = ", ".join(f"{quoted[name]} = VALUES({quoted[name]})" for name in others)
        return (
            f"INSERT INTO {table} ({', '.join(quoted.values())})"  # noqa: S608 - quoted
            f" VALUES ({', '.join(['%s'] * len(names))}) ON DUPLICATE KEY UPDATE {sets}"
        )


def _choose_collation(connection: Any) -> str:
    """Name the collation in which every text differs from every other, trailing spaces too."""
    version = str(connection.get_server_info())
    if "MariaDB" in version:
        return "utf8mb4_nopad_bin"
    return "utf8mb4_bin" if version.startswith("5.") else "utf8mb4_0900_bin"


_TYPES: Final = {
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.INTEGER: "bigint",
    ColumnKind.UNSIGNED: "bigint unsigned",
    ColumnKind.FLOAT: "double",
    ColumnKind.DATE: "date",
    ColumnKind.TIME: "datetime(6)",
    ColumnKind.BINARY: "longblob",
    ColumnKind.TEXT: "longtext",
}
_KEY_TYPES: Final = {
    ColumnKind.BINARY: f"varbinary({MAX_KEY_CHARACTERS})",
    ColumnKind.TEXT: f"varchar({MAX_KEY_CHARACTERS})",
}


def _column_type(column: pa.DataType, *, is_key: bool) -> str:
    kind = kind_of(column)
    if kind is ColumnKind.DECIMAL:
        return f"decimal({min(column.precision, 65)},{column.scale})"
    return _KEY_TYPES[kind] if is_key and kind in _KEY_TYPES else _TYPES[kind]
