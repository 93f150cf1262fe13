"""A table, view or query of a SQLite file, read in full or by a watermark."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from connectors.cursors import read_values, write_values
from connectors.errors import ConnectorError, TerminalError, TransientError
from connectors.model import Batch, Cursor, SourceCapabilities
from connectors.protocols import BaseSource
from connectors.sources.rows import build_batch
from connectors.sources.tables import (
    Dialect,
    TableOptions,
    build_from,
    build_select,
    build_unmarked_count,
    quote_standard,
    require_columns,
    require_marked,
)

DIALECT: Final = Dialect(quote=quote_standard, parameter=lambda _: "?")
BUSY_S: Final = 10
_TYPES: Final = {"INTEGER": pa.int64(), "INT": pa.int64(), "BIGINT": pa.int64(), "BLOB": pa.binary()}


class SqliteOptions(TableOptions):
    """The options of `kind = "sqlite"`."""

    file: Path


class SqliteSource(BaseSource):
    """Reads whole numbers, bytes, and all else as text: SQLite's columns promise no types.

    One transaction writes at a time, so a counter that grows with each change is a sound watermark. A time is
    not, where rows may still be written in the moment that was read last: one whose key comes before the last
    key of that moment is not read. Give such tables a counter (by a trigger), or `full_reading = "diff"`.
    """

    options_model = SqliteOptions

    def __init__(self, options: SqliteOptions) -> None:
        self._options = options
        self._open: sqlite3.Connection | None = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the options say."""
        return self._options.capabilities

    def fetch_schema(self) -> pa.Schema:
        """Ask for the columns; declared INTEGER is int64, BLOB binary, all else text."""
        try:
            described = self._connect().execute(
                f"SELECT * FROM ({build_select(self._options, DIALECT, None)[0]}) LIMIT 0"  # noqa: S608
            )
            names = [column[0] for column in described.description]
            declared = self._declared_types()
        except sqlite3.Error as trouble:
            raise _translate(trouble) from trouble
        require_columns(self._options, names)
        return pa.schema([(name, _TYPES.get(declared.get(name, ""), pa.string())) for name in names])

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read on after the cursor, or everything."""
        options, schema = self._options, self.fetch_schema()
        places = [schema.names.index(name) for name in options.position]
        try:
            statement, values = build_select(options, DIALECT, self._as_stored(cursor))
            if options.watermark is not None:
                unmarked = self._connect().execute(build_unmarked_count(options, DIALECT)).fetchone()
                require_marked(unmarked[0], options)
            found = self._connect().execute(statement, values)
            while rows := found.fetchmany(options.batch_rows):
                last = write_values(rows[-1][place] for place in places)
                yield Batch(rows=build_batch(rows, schema), cursor={"after": last} if last else None)
        except sqlite3.Error as trouble:
            raise _translate(trouble) from trouble

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            address = f"{self._options.file.resolve().as_uri()}?mode=ro"
            self._open = sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)
        return self._open

    def _as_stored(self, cursor: Cursor | None) -> Cursor | None:
        """Give texts of a cursor the type of the numbers that they were written from.

        To SQLite a number without a declared type comes before every text, so a text in its place would find
        no row. Cursors hold the stored values; those of earlier versions held texts of them.
        """
        options = self._options
        if cursor is None or not options.position:
            return cursor
        values = read_values(cursor.get("after"))
        for place, name in enumerate(options.position[: len(values)]):
            if isinstance(values[place], str) and self._holds_numbers(name):
                values[place] = _read_number(values[place])
        return {"after": write_values(values)}

    def _holds_numbers(self, column: str) -> bool:
        """Tell whether a column holds numbers alone: any text would be its greatest value."""
        greatest = f"SELECT typeof(max(q.{quote_standard(column)})) FROM {build_from(self._options, DIALECT)}"  # noqa: S608
        return self._connect().execute(greatest).fetchone()[0] in {"integer", "real"}

    def _declared_types(self) -> dict[str, str]:
        """Return the declared types of a table's columns; a query declares none."""
        if self._options.table is None:
            return {}
        rows = self._connect().execute(
            "SELECT name, upper(type) FROM pragma_table_info(?)", [self._options.table.rpartition(".")[2]]
        )
        return dict(rows.fetchall())


def _read_number(text: str) -> int | float | str:
    """Read the number that a text was written from; the text itself where it is none."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _translate(trouble: sqlite3.Error) -> ConnectorError:
    """Tell a locked file from a wrong statement. The sentences of SQLite hold names, no values."""
    name = getattr(trouble, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return TransientError(f"the file is locked ({name})")
    return TerminalError(f"SQLite says: {trouble}")
