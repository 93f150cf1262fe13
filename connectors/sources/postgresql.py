"""A table, view or query of PostgreSQL, read by binary COPY in full or by a watermark.

The ADBC driver runs the statement as COPY and decodes rows into Arrow in C as they come: nothing is held
but a batch. Values stand in the statement as literals, because COPY takes no parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
from pydantic import Field, SecretStr

from connectors.errors import ConnectorError, TerminalError, TransientError
from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.optional import load_optional
from connectors.protocols import BaseSource
from connectors.sources.tables import (
    Dialect,
    TableOptions,
    build_select,
    build_unmarked_count,
    cursor_after,
    quote_standard,
    require_columns,
    require_marked,
)

EXTRA: Final = "postgresql"
HINT_BYTES: Final = 8 * 1024 * 1024
BATCH_HINT: Final = "adbc.postgresql.batch_size_hint_bytes"
# Types whose binary form the driver turns into plain columns; all others are asked for as text.
_PLAIN: Final = {
    *("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "char"),
    *("date", "timestamp", "timestamptz", "bytea"),
}
_ENDS: Final = {
    "date": ("0001-01-01", "9999-12-31"),
    "timestamp": ("0001-01-01 00:00:00", "9999-12-31 23:59:59"),
    "timestamptz": ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59+00"),
}
_TRANSIENT: Final = ("08", "40", "53", "55P03", "57P", "57014")
# What these classes say holds names of objects, and no values of rows.
_QUOTABLE: Final = ("08", "28", "3D", "42", "53", "57")
_BROKEN: Final = ("connection", "terminating", "SSL", "canceling statement", "EOF")
_OLDEST_WRITER: Final = (
    "coalesce((SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL"
    " AND datname = current_database() AND pid <> pg_backend_pid()), 'infinity')"
)


class PostgresqlOptions(TableOptions):
    """The options of `kind = "postgresql"`."""

    url: SecretStr = Field(description="postgresql://user:password@host/database, or libpq's key=value")
    settle_s: float = Field(
        default=5, ge=0, description="rows with a younger watermark are left for the next read"
    )


class PostgresqlSource(BaseSource):
    """Reads in the order of the watermark.

    A transaction that is open while we read may commit rows with a watermark that we have passed. So rows
    are left for the next read whose watermark (a time) is younger than `settle_s`, or not older than the
    start of the oldest transaction that writes, as far as the role may see it; of days only those that are
    over are read. A watermark of numbers has no such guard.
    """

    options_model = PostgresqlOptions

    def __init__(self, options: PostgresqlOptions) -> None:
        self._options = options
        self._driver = load_optional("adbc_driver_postgresql.dbapi", extra=EXTRA)
        self._open: Any = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the options say."""
        return self._options.capabilities

    def fetch_schema(self) -> pa.Schema:
        """Ask for the columns."""
        try:
            return self._describe()[0]
        except self._driver.Error as trouble:
            raise self._translate(trouble) from trouble

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read on after the cursor, or everything, in one statement and so as of one moment."""
        options = self._options
        try:
            schema, columns, types = self._describe()
            if options.watermark is not None:
                require_marked(self._count(build_unmarked_count(options, DIALECT)), options)
            bound = self._bound(types)
            statement, _ = build_select(options, DIALECT, cursor, bound=bound, columns=columns)
            for whole in self._stream(statement):
                rows = _to_plain(whole, schema)
                for start in range(0, rows.num_rows, options.batch_rows):
                    part = rows.slice(start, options.batch_rows)
                    yield Batch(rows=part, cursor=cursor_after(options, part))
        except self._driver.Error as trouble:
            raise self._translate(trouble) from trouble

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connect(self) -> Any:
        if self._open is None:
            self._open = self._driver.connect(self._options.url.get_secret_value(), autocommit=True)
            with self._open.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = on")
                cursor.execute("SET standard_conforming_strings = on")
        return self._open

    def _stream(self, statement: str) -> Iterator[pa.RecordBatch]:
        with self._connect().cursor() as cursor:
            cursor.adbc_statement.set_options(**{BATCH_HINT: HINT_BYTES})
            cursor.execute(statement)
            reader = cursor.fetch_record_batch()
            while True:
                try:
                    rows = reader.read_next_batch()
                except StopIteration:
                    return
                except (OSError, pa.ArrowException) as trouble:
                    raise _translate_break(str(trouble)) from None
                yield rows

    def _count(self, statement: str) -> int:
        return int(next(iter(self._stream(statement))).column(0)[0].as_py())

    def _describe(self) -> tuple[pa.Schema, str, dict[str, str]]:
        """Return the columns as they will come, how to select them, and their types at the database."""
        first, _ = build_select(self._options, DIALECT, None)
        with self._connect().cursor() as cursor:
            found = cursor.adbc_execute_schema(first)
        require_columns(self._options, found.names)
        types = {field.name: (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in found}
        columns = ", ".join(_select(name, types[name]) for name in found.names)
        plain = {name for name, kind in types.items() if kind in _PLAIN}
        schema = pa.schema(
            [(field.name, field.type if field.name in plain else pa.string()) for field in found]
        )
        return schema, columns, types

    def _bound(self, types: dict[str, str]) -> str:
        """Write the condition that leaves out what open transactions may still add to."""
        watermark = self._options.watermark
        if watermark is None or not self._options.settle_s:
            return ""
        name, kind = f"q.{quote_standard(watermark)}", types[watermark]
        settled = f"least(now() - interval '{self._options.settle_s} seconds', {_OLDEST_WRITER})"
        if kind in {"timestamp", "timestamptz"}:
            return f"{name} < ({settled})::{kind}"
        return f"{name} < ({settled})::date" if kind == "date" else ""

    def _translate(self, trouble: Any) -> ConnectorError:
        """Tell what passes from what stays; values of rows never become part of the sentence."""
        state = str(getattr(trouble, "sqlstate", None) or "")
        if not state:
            return TransientError("PostgreSQL does not answer, or the connection broke")
        said = str(trouble).partition("ERROR:")[2].partition("\n")[0].strip()
        sentence = f"PostgreSQL says {state}" + (f": {said}" if said and state.startswith(_QUOTABLE) else "")
        return TransientError(sentence) if state.startswith(_TRANSIENT) else TerminalError(sentence)


def _select(name: str, kind: str) -> str:
    """Write how a column is selected. Infinite times become the first and last of the calendar."""
    column = f"q.{quote_standard(name)}"
    if kind in _ENDS:
        first, last = (f"{kind} '{end}'" for end in _ENDS[kind])
        column = (
            f"CASE WHEN {column} < {first} THEN {first} WHEN {column} > {last} THEN {last} ELSE {column} END"
        )
    elif kind not in _PLAIN:
        column = f"{column}::text"
    return f"{column} AS {quote_standard(name)}"


def _translate_break(said: str) -> ConnectorError:
    """Tell a connection that broke from a statement that failed at a row, by the driver's words alone."""
    if any(words in said for words in _BROKEN):
        return TransientError("the connection to PostgreSQL broke while rows came")
    return TerminalError(
        "PostgreSQL gave up at a row (a cast or a function of the query fails for its value)"
    )


def _literal(value: Any) -> str:
    """Write a value of a cursor; PostgreSQL reads it as what it is compared with."""
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    text = value.isoformat() if isinstance(value, (date, datetime)) else str(value)
    if "\x00" in text:
        msg = "the cursor holds a NUL character"
        raise TerminalError(msg)
    return "'" + text.replace("'", "''") + "'"


DIALECT: Final = Dialect(quote=quote_standard, parameter=lambda number: f"${number}", literal=_literal)


def _to_plain(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Take the driver's notes off the columns."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)
