"""What sources that read SQL tables share: their options, the statement, the place to go on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, model_validator

from connectors.cursors import FOREIGN_CURSOR, read_values, write_values
from connectors.errors import TerminalError
from connectors.model import Cursor, Reading, SourceCapabilities
from connectors.options import Options

BATCH_ROWS = 20_000


class TableOptions(Options):
    """Which rows are read, and how changes among them are known.

    With `watermark`, a column that grows whenever a row changes, only rows beyond the last are read; rows
    of one watermark are told apart by `key`. Deleted rows are not seen that way. Without it everything is
    read, each time.
    """

    table: str | None = Field(default=None, description="the table or view, or schema.table")
    query: str | None = Field(default=None, description="a SELECT in place of a table")
    columns: tuple[str, ...] = Field(default=(), description="all of them where none is named")
    key: tuple[str, ...] = Field(default=(), description="the columns that name a row")
    watermark: str | None = None
    batch_rows: int = Field(default=BATCH_ROWS, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.table is None) == (self.query is None):
            msg = "name a table, or give a query"
            raise ValueError(msg)
        if self.watermark is not None and not self.key:
            msg = "a watermark needs the key: the columns that tell rows of one watermark apart"
            raise ValueError(msg)
        missing = {self.watermark, *self.key} - {None, *self.columns} if self.columns else set()
        if missing:
            msg = f"columns must hold watermark and key: {', '.join(sorted(map(str, missing)))}"
            raise ValueError(msg)
        return self

    @property
    def capabilities(self) -> SourceCapabilities:
        """What reading with these options can do."""
        reading = Reading.FULL if self.watermark is None else Reading.INCREMENTAL
        return SourceCapabilities(reading=reading, key=self.key)

    @property
    def position(self) -> tuple[str, ...]:
        """The columns that order the rows; none for reading in full."""
        return () if self.watermark is None else (self.watermark, *self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a database writes names and parameters (`?`, `%s`, `$1`), or values in place of parameters."""

    quote: Callable[[str], str]
    parameter: Callable[[int], str]
    literal: Callable[[Any], str] | None = None


def quote_standard(name: str) -> str:
    """Quote an identifier as SQL says: in double quotes, those within doubled."""
    if "\x00" in name:
        msg = "a name cannot hold a NUL character"
        raise TerminalError(msg)
    return '"' + name.replace('"', '""') + '"'


def build_from(options: TableOptions, dialect: Dialect) -> str:
    """Write what follows FROM; its rows go by the name q."""
    if options.query is not None:
        return f"({options.query.strip().rstrip(';')}) q"
    return ".".join(dialect.quote(part) for part in str(options.table).split(".")) + " q"


def build_select(
    options: TableOptions,
    dialect: Dialect,
    cursor: Cursor | None,
    *,
    bound: str = "",
    columns: str = "",
) -> tuple[str, list[Any]]:
    """Write the statement that reads on after a cursor, and its parameters.

    `bound` is one more condition, `columns` what to select in place of the options' columns. Raises
    TerminalError for a cursor of another source.
    """
    wanted = columns or ", ".join(f"q.{dialect.quote(name)}" for name in options.columns) or "q.*"
    text = f"SELECT {wanted} FROM {build_from(options, dialect)}"  # noqa: S608 - names are quoted
    names = [f"q.{dialect.quote(name)}" for name in options.position]
    if not names:
        return text, []
    conditions = [bound] if bound else []
    values: list[Any] = []
    if cursor is not None:
        condition, values = _after(names, read_values(cursor.get("after")), dialect)
        conditions.append(condition)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else f" WHERE {names[0]} IS NOT NULL"
    return f"{text}{where} ORDER BY {', '.join(names)}", values


def _after(names: list[str], last: list[Any], dialect: Dialect) -> tuple[str, list[Any]]:
    """Write "comes after these values, in the order of the names" so that an index on the first serves."""
    if len(last) != len(names):
        raise TerminalError(FOREIGN_CURSOR)
    values: list[Any] = []

    def put(value: Any) -> str:
        if dialect.literal is not None:
            return dialect.literal(value)
        values.append(value)
        return dialect.parameter(len(values))

    first = f"{names[0]} >= {put(last[0])}"
    ways = []
    for place, name in enumerate(names):
        equal = [f"{names[n]} = {put(last[n])}" for n in range(place)]
        ways.append("(" + " AND ".join([*equal, f"{name} > {put(last[place])}"]) + ")")
    return f"{first} AND ({' OR '.join(ways)})", values


def cursor_after(options: TableOptions, rows: pa.RecordBatch) -> Cursor | None:
    """Return the cursor after the last of these rows; None when reading in full."""
    if not options.position or rows.num_rows == 0:
        return None
    last = [rows.column(name)[rows.num_rows - 1].as_py() for name in options.position]
    return {"after": write_values(last)}


def build_unmarked_count(options: TableOptions, dialect: Dialect) -> str:
    """Write the statement that counts rows which a watermark would never find."""
    watermark = dialect.quote(str(options.watermark))
    return f"SELECT count(*) FROM {build_from(options, dialect)} WHERE {watermark} IS NULL"  # noqa: S608


def require_marked(count: int, options: TableOptions) -> None:
    """Refuse to pass by rows in silence. Raises TerminalError."""
    if count:
        msg = (
            f"{count} rows have no value in the watermark {options.watermark} and would never be read; fill "
            "it, or leave them out with a query, or read in full with full_reading = 'diff'"
        )
        raise TerminalError(msg)


def require_columns(options: TableOptions, found: Sequence[str]) -> None:
    """Let options pass whose columns are there, each once. Raises TerminalError."""
    wanted = {*options.columns, *options.key, *options.position}
    if missing := sorted(wanted - set(found)):
        msg = f"there is no column {', '.join(missing)}; there are {', '.join(found)}"
        raise TerminalError(msg)
    if len(set(found)) < len(found):
        msg = "two columns have one name; give them names of their own with AS"
        raise TerminalError(msg)
