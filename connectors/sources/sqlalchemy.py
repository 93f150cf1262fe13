"""A table, view or query of any database that SQLAlchemy reaches: Oracle, SQL Server, DM, Kingbase, …"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa

from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.optional import load_optional
from connectors.protocols import BaseSource
from connectors.sources.rows import build_batch
from connectors.sources.tables import (
    Dialect,
    TableOptions,
    build_select,
    build_unmarked_count,
    cursor_after,
    require_columns,
    require_marked,
)
from connectors.sqlalchemy import EXTRA, EngineOptions, open_engine, told_plainly

_HOLE: Final = "\x00"
_BY_NAME: Final = {
    "Boolean": pa.bool_(),
    "Integer": pa.int64(),
    "Float": pa.float64(),
    "Date": pa.date32(),
    "LargeBinary": pa.binary(),
    "BINARY": pa.binary(),
    "VARBINARY": pa.binary(),
}
_BY_VALUE: Final[dict[type, pa.DataType]] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us"),
    date: pa.date32(),
    bytes: pa.binary(),
}


class SqlalchemyOptions(EngineOptions, TableOptions):
    """The options of `kind = "sqlalchemy"`."""


class SqlalchemySource(BaseSource):
    """Streams rows where the driver can.

    Types are those of the table's columns; of a query they are those of the values in its first batch, and
    exact numbers come as text. The newest rows of transactions still open can be missed by a watermark:
    give the query a bound that leaves them for later.
    """

    options_model = SqlalchemyOptions

    def __init__(self, options: SqlalchemyOptions) -> None:
        self._options = options
        self._sqlalchemy = load_optional("sqlalchemy", extra=EXTRA)
        self._engine = open_engine(options)
        self._dialect = Dialect(quote=self._quote, parameter=lambda number: f"{_HOLE}p{number}")
        self._schema: pa.Schema | None = None
        self._types: dict[str, Any] = {}

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the options say."""
        return self._options.capabilities

    def fetch_schema(self) -> pa.Schema:
        """Ask for the table's columns, or look at a query's first rows."""
        if self._schema is None:
            with told_plainly():
                found = self._look_at_rows() if self._options.table is None else self._look_at_table()
            require_columns(self._options, found.names)
            self._schema = found
        return self._schema

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read on after the cursor, or everything."""
        options, schema = self._options, self.fetch_schema()
        statement, values = build_select(options, self._dialect, cursor)
        with told_plainly(), self._engine.connect() as connection:
            if options.watermark is not None:
                count = connection.execute(self._text(build_unmarked_count(options, self._dialect)))
                require_marked(int(count.scalar_one()), options)
            streaming = connection.execution_options(yield_per=options.batch_rows)
            parameters = {f"p{number}": value for number, value in enumerate(values, start=1)}
            found = streaming.execute(self._text(statement).columns(**self._types), parameters)
            try:
                for rows in found.partitions(options.batch_rows):
                    batch = build_batch([tuple(row) for row in rows], schema)
                    yield Batch(rows=batch, cursor=cursor_after(options, batch))
            except BaseException:
                _let_go(found.cursor)
                connection.invalidate()
                raise

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _quote(self, name: str) -> str:
        quoted = str(self._engine.dialect.identifier_preparer.quote_identifier(name))
        is_doubled = self._engine.dialect.paramstyle in {"format", "pyformat"}  # and `text` doubles again
        return quoted.replace("%%", "%") if is_doubled else quoted

    def _text(self, statement: str) -> Any:
        """Make a statement in which only our own parameters are parameters."""
        return self._sqlalchemy.text(statement.replace("\\", "\\\\").replace(":", r"\:").replace(_HOLE, ":"))

    def _look_at_table(self) -> pa.Schema:
        schema, _, table = str(self._options.table).rpartition(".")
        inspector = self._sqlalchemy.inspect(self._engine)
        columns = {item["name"]: item["type"] for item in inspector.get_columns(table, schema or None)}
        wanted = self._options.columns or tuple(columns)
        require_columns(self._options, list(columns))
        self._types = {name: columns[name] for name in wanted}
        return pa.schema([(name, self._arrow_type(columns[name])) for name in wanted])

    def _look_at_rows(self) -> pa.Schema:
        statement, _ = build_select(self._options, self._dialect, None)
        with self._engine.connect() as connection:
            found = connection.execution_options(stream_results=True).execute(self._text(statement))
            names = list(found.keys())
            rows = found.fetchmany(self._options.batch_rows)
            found.close()
        columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.schema(
            [(name, _type_of_values(values)) for name, values in zip(names, columns, strict=True)]
        )

    def _arrow_type(self, kind: Any) -> pa.DataType:
        types = self._sqlalchemy.types
        if getattr(kind, "unsigned", False) and isinstance(kind, types.Integer):
            return pa.uint64()
        if isinstance(kind, types.DateTime):
            return pa.timestamp("us", "UTC" if kind.timezone else None)
        if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
            is_sized = kind.precision and 0 < kind.precision <= 38
            return pa.decimal128(kind.precision, kind.scale or 0) if is_sized else pa.string()
        found = (arrow for name, arrow in _BY_NAME.items() if isinstance(kind, getattr(types, name)))
        return next(found, pa.string())


def _let_go(cursor: Any) -> None:
    """Keep a cursor of PyMySQL from fetching at its end what nobody waits for, on a line that is closed."""
    result: Any = getattr(cursor, "_result", None)
    if getattr(result, "unbuffered_active", False):
        result.unbuffered_active = False


def _type_of_values(values: Any) -> pa.DataType:
    """Return the type of a column's values; text where they have none, several, or no plain one."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) != 1:
        return pa.string()
    (kind,) = kinds
    if kind is datetime and any(value is not None and value.tzinfo is not None for value in values):
        return pa.timestamp("us", "UTC")
    return _BY_VALUE.get(kind, pa.string())
