"""A table of any database that SQLAlchemy reaches, kept as the rows say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.optional import load_optional
from connectors.protocols import BaseSink
from connectors.sinks.tables import (
    MAX_KEY_CHARACTERS,
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
from connectors.sqlalchemy import EXTRA, EngineOptions, open_engine, told_plainly

PARCELS: Final = "shuzheng_parcel"
STATEMENT_ROWS: Final = 1000


class SqlalchemySinkOptions(EngineOptions, TableSinkOptions):
    """The options of `kind = "sqlalchemy"`."""


class SqlalchemySink(BaseSink):
    """Deletes the keys of a parcel and inserts its rows, in one transaction with a note of the parcel's key.

    Slower than the sinks that know their database, and right on every one that has transactions.
    Times are kept in UTC.
    """

    options_model = SqlalchemySinkOptions

    def __init__(self, options: SqlalchemySinkOptions) -> None:
        self._options = options
        self._sqlalchemy = load_optional("sqlalchemy", extra=EXTRA)
        self._engine = open_engine(options)

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything, exactly once."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Write a parcel; one that was written before gets its first answer."""
        schema = read_checked(parcel, self._options.key)
        with told_plainly():
            notes, table = self._prepare(schema)
            with self._engine.begin() as connection:
                return self._write(connection, notes, table, parcel)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _write(self, connection: Any, notes: Any, table: Any, parcel: Parcel) -> Receipt:
        known = connection.execute(
            self._sqlalchemy.select(notes.c.receipt).where(notes.c.parcel == parcel.key)
        ).scalar()
        if known is not None:
            return read_receipt(known)
        receipt = Receipt(accepted=parcel.rows, reference=parcel.key)
        connection.execute(notes.insert(), {"parcel": parcel.key, "receipt": write_receipt(receipt)})
        if parcel.operation is Operation.SNAPSHOT:
            connection.execute(table.delete())
        names = choose_columns(parcel, self._options.key)
        for rows in read_tuples(parcel, names, self._convert):
            for start in range(0, len(rows), STATEMENT_ROWS):
                self._merge(connection, table, parcel.operation, names, rows[start : start + STATEMENT_ROWS])
        return receipt

    def _merge(
        self, connection: Any, table: Any, operation: Operation, names: list[str], rows: list[tuple[Any, ...]]
    ) -> None:
        places = [names.index(name) for name in self._options.key]
        newest = {tuple(row[place] for place in places): row for row in rows}
        keys = [{f"k{n}": value for n, value in enumerate(key)} for key in newest]
        same = [
            table.c[name] == self._sqlalchemy.bindparam(f"k{n}") for n, name in enumerate(self._options.key)
        ]
        connection.execute(table.delete().where(*same), keys)
        if operation is not Operation.DELETE:
            values = [dict(zip(names, row, strict=True)) for row in newest.values()]
            connection.execute(table.insert(), values)

    def _convert(self, value: Any) -> Any:
        """Write a value as the database keeps it; SQLite has no exact numbers but as text."""
        if isinstance(value, Decimal) and self._is_sqlite:
            return f"{value:f}"
        return without_zone(value)

    @property
    def _is_sqlite(self) -> bool:
        return bool(self._engine.dialect.name == "sqlite")

    def _prepare(self, schema: pa.Schema) -> tuple[Any, Any]:
        """Make the tables, or add columns that are new; return notes and table as the database has them."""
        sa = self._sqlalchemy
        owner, _, name = self._options.table.rpartition(".")
        metadata = sa.MetaData()
        notes = sa.Table(
            PARCELS,
            metadata,
            sa.Column("parcel", sa.String(MAX_KEY_CHARACTERS), primary_key=True),
            sa.Column("receipt", sa.String(1000), nullable=False),
            **_MYSQL_TABLE,
        )
        columns = [self._column(field) for field in schema]
        made = sa.Table(name, metadata, *columns, schema=owner or None, **_MYSQL_TABLE)
        metadata.create_all(self._engine)
        there = {item["name"] for item in sa.inspect(self._engine).get_columns(name, owner or None)}
        missing = [column for column in made.columns if column.name not in there]
        if missing:
            self._add(made, missing)
        return notes, sa.Table(name, sa.MetaData(), schema=owner or None, autoload_with=self._engine)

    def _add(self, table: Any, columns: list[Any]) -> None:
        preparer = self._engine.dialect.identifier_preparer
        with self._engine.begin() as connection:
            for column in columns:
                text = (
                    f"ALTER TABLE {preparer.format_table(table)} ADD {preparer.format_column(column)} "
                    f"{column.type.compile(self._engine.dialect)}"
                )
                connection.exec_driver_sql(text)

    def _column(self, field: Any) -> Any:
        sa, is_key = self._sqlalchemy, field.name in self._options.key
        return sa.Column(
            sa.sql.quoted_name(field.name, True),
            _column_type(sa, field.type, is_key=is_key, exact=not self._is_sqlite),
            primary_key=is_key,
            autoincrement=False,
            nullable=not is_key,
        )


_TYPES: Final = {
    ColumnKind.BOOLEAN: "Boolean",
    ColumnKind.INTEGER: "BigInteger",
    ColumnKind.FLOAT: "Double",
    ColumnKind.DATE: "Date",
    ColumnKind.TIME: "DateTime",
    ColumnKind.BINARY: "LargeBinary",
    ColumnKind.TEXT: "UnicodeText",
}


# MySQL's plain types end at 64 KiB and at seconds, and its default may not hold Chinese.
_MYSQL_TYPES: Final[dict[ColumnKind, tuple[str, dict[str, Any]]]] = {
    ColumnKind.TEXT: ("LONGTEXT", {}),
    ColumnKind.BINARY: ("LONGBLOB", {}),
    ColumnKind.TIME: ("DATETIME", {"fsp": 6}),
}
_MYSQL_TABLE: Final[dict[str, Any]] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"), ("engine", "InnoDB"))
}


def _column_type(sa: Any, column: pa.DataType, *, is_key: bool, exact: bool) -> Any:
    kind = kind_of(column)
    if kind is ColumnKind.DECIMAL:
        return sa.Numeric(column.precision, column.scale) if exact else sa.UnicodeText()
    if kind is ColumnKind.UNSIGNED:
        return sa.Numeric(20, 0)
    if is_key and kind is ColumnKind.TEXT:
        return sa.Unicode(MAX_KEY_CHARACTERS)
    plain = getattr(sa, _TYPES[kind])()
    if kind not in _MYSQL_TYPES:
        return plain
    name, more = _MYSQL_TYPES[kind]
    special = getattr(load_optional("sqlalchemy.dialects.mysql", extra=EXTRA), name)(**more)
    return plain.with_variant(special, "mysql", "mariadb")
