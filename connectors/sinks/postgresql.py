"""A table of PostgreSQL, kept as the rows say: made where it is missing, filled by COPY, merged by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
from pydantic import Field, SecretStr

from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.postgresql import load_driver, told_plainly
from connectors.protocols import BaseSink
from connectors.sinks.tables import (
    PARCELS,
    ColumnKind,
    TableSinkOptions,
    choose_columns,
    kind_of,
    read_checked,
    read_receipt,
    write_receipt,
)
from connectors.sources.tables import quote_standard as quote

STAGE: Final = "_shuzheng_stage"
NUMBER: Final = "_shuzheng_number"


class PostgresqlSinkOptions(TableSinkOptions):
    """The options of `kind = "postgresql"`."""

    url: SecretStr = Field(description="postgresql://user:password@host/database")


class PostgresqlSink(BaseSink):
    """Merges parcels by key, each in one transaction with a note of its own key."""

    options_model = PostgresqlSinkOptions

    def __init__(self, options: PostgresqlSinkOptions) -> None:
        self._options = options
        self._driver = load_driver()

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything, exactly once."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel; one that was written before gets its first answer."""
        read_checked(parcel, self._options.key)
        with (
            told_plainly(),
            self._driver.connect(self._options.url.get_secret_value()) as connection,
        ):
            with connection.cursor() as cursor:
                receipt = self._write(cursor, parcel)
            connection.commit()
        return receipt

    def _write(self, cursor: Any, parcel: Parcel) -> Receipt:
        receipt = Receipt(accepted=parcel.rows, reference=parcel.key)
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {PARCELS} (parcel text PRIMARY KEY, receipt text NOT NULL,"
            " written_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute(
            f"INSERT INTO {PARCELS} (parcel, receipt) VALUES ($1, $2)"  # noqa: S608
            " ON CONFLICT (parcel) DO NOTHING RETURNING parcel",
            (parcel.key, write_receipt(receipt)),
        )
        if cursor.fetchone() is None:
            cursor.execute(f"SELECT receipt FROM {PARCELS} WHERE parcel = $1", (parcel.key,))  # noqa: S608
            return read_receipt(cursor.fetchone()[0])
        types = self._prepare(cursor, parcel.read_schema())
        if parcel.operation is Operation.SNAPSHOT:
            cursor.execute(f"DELETE FROM {self._table}")  # noqa: S608 - quoted
        names = choose_columns(parcel, self._options.key)
        reader = _number_rows(parcel, names)
        cursor.adbc_ingest(STAGE, reader, mode="create", temporary=True)
        cursor.execute(self._statement(parcel.operation, names, types))
        cursor.execute(f"DROP TABLE {STAGE}")
        return receipt

    @property
    def _table(self) -> str:
        return ".".join(map(quote, self._options.table.split(".")))

    def _prepare(self, cursor: Any, schema: pa.Schema) -> dict[str, str]:
        """Make the table, or add columns that are new; return the types of all."""
        columns = {field.name: f"{quote(field.name)} {_column_type(field.type)}" for field in schema}
        primary = ", ".join(map(quote, self._options.key))
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table}"
            f" ({', '.join(columns.values())}, PRIMARY KEY ({primary}))"
        )
        there = self._fetch_types(cursor)
        if missing := [name for name in schema.names if name not in there]:
            added = ", ".join(f"ADD COLUMN {columns[name]}" for name in missing)
            cursor.execute(f"ALTER TABLE {self._table} {added}")
            there = self._fetch_types(cursor)
        return there

    def _fetch_types(self, cursor: Any) -> dict[str, str]:
        cursor.execute(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            (self._table,),
        )
        return dict(cursor.fetchall())

    def _statement(self, operation: Operation, names: Sequence[str], types: dict[str, str]) -> str:
        """Write the merge. Values are cast to the type of their column, whose length then still binds."""
        key, table = self._options.key, self._table
        cast = {name: f"s.{quote(name)}::{types[name]}" for name in names}
        if operation is Operation.DELETE:
            same = " AND ".join(f"t.{quote(name)} = {cast[name]}" for name in key)
            return f"DELETE FROM {table} AS t USING {STAGE} AS s WHERE {same}"  # noqa: S608 - quoted
        others = ", ".join(f"{quote(n)} = excluded.{quote(n)}" for n in names if n not in key)
        primary = ", ".join(map(quote, key))
        newest = ", ".join(f"s.{quote(name)}" for name in key)
        return (
            f"INSERT INTO {table} ({', '.join(map(quote, names))})"  # noqa: S608 - quoted
            f" SELECT DISTINCT ON ({newest}) {', '.join(cast.values())} FROM {STAGE} AS s"
            f" ORDER BY {newest}, s.{NUMBER} DESC"
            f" ON CONFLICT ({primary}) DO {'UPDATE SET ' + others if others else 'NOTHING'}"
        )


def _number_rows(parcel: Parcel, names: Sequence[str]) -> pa.RecordBatchReader:
    """Read a parcel with a running number beside each row, so that the newest of a key is known."""
    chosen = pa.schema([parcel.read_schema().field(name) for name in names])
    schema = chosen.append(pa.field(NUMBER, pa.int64()))

    def numbered() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in parcel.read():
            numbers = pa.array(range(start, start + batch.num_rows), pa.int64())
            start += batch.num_rows
            yield pa.RecordBatch.from_arrays([*(batch.column(n) for n in names), numbers], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, numbered())


_TYPES: Final = {
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.INTEGER: "bigint",
    ColumnKind.UNSIGNED: "numeric(20)",
    ColumnKind.FLOAT: "double precision",
    ColumnKind.DATE: "date",
    ColumnKind.BINARY: "bytea",
    ColumnKind.TEXT: "text",
}


def _column_type(column: pa.DataType) -> str:
    kind = kind_of(column)
    if kind is ColumnKind.DECIMAL:
        return f"numeric({column.precision},{column.scale})"
    if kind is ColumnKind.TIME:
        return "timestamptz" if column.tz else "timestamp"
    return _TYPES[kind]
