"""What sinks into tables share: their options, columns, and the table in which parcels are noted.

A parcel and the note of its key are one transaction, so a parcel that comes again finds its note.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
from pydantic import Field

from connectors.errors import TerminalError
from connectors.model import Operation, Parcel, Receipt
from connectors.options import Options

PARCELS: Final = "_shuzheng_parcel"
MAX_KEY_CHARACTERS: Final = 255


class ColumnKind(StrEnum):
    """The kinds of columns that tables are made with."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    UNSIGNED = "unsigned"  # of 64 bits
    DECIMAL = "decimal"
    FLOAT = "float"
    DATE = "date"
    TIME = "time"
    BINARY = "binary"
    TEXT = "text"


_KINDS: Final[tuple[tuple[Callable[[pa.DataType], bool], ColumnKind], ...]] = (
    (pa.types.is_boolean, ColumnKind.BOOLEAN),
    (pa.types.is_uint64, ColumnKind.UNSIGNED),
    (pa.types.is_integer, ColumnKind.INTEGER),
    (pa.types.is_decimal, ColumnKind.DECIMAL),
    (pa.types.is_floating, ColumnKind.FLOAT),
    (pa.types.is_date, ColumnKind.DATE),
    (pa.types.is_timestamp, ColumnKind.TIME),
    (pa.types.is_binary, ColumnKind.BINARY),
    (pa.types.is_large_binary, ColumnKind.BINARY),
)


def kind_of(column: pa.DataType) -> ColumnKind:
    """Return the kind of column that holds a type; text for all that is none of the others."""
    return next((kind for test, kind in _KINDS if test(column)), ColumnKind.TEXT)


class TableSinkOptions(Options):
    """Which table, and which of its columns name a row. It is made where it is missing."""

    table: str
    key: tuple[str, ...] = Field(min_length=1)


def read_checked(parcel: Parcel, key: Sequence[str]) -> pa.Schema:
    """Return the schema of a parcel whose rows have every part of the key. Raises TerminalError."""
    schema = parcel.read_schema()
    if missing := [name for name in key if name not in schema.names]:
        msg = f"the rows have no column {', '.join(missing)}, which the sink's key names"
        raise TerminalError(msg)
    if len(set(schema.names)) < len(schema.names):
        msg = "two columns of the rows have one name"
        raise TerminalError(msg)
    _require_no_null(parcel, key)
    return schema


def choose_columns(parcel: Parcel, key: Sequence[str]) -> list[str]:
    """Return the columns that are written: those of the key suffice to delete."""
    return list(key) if parcel.operation is Operation.DELETE else list(parcel.read_schema().names)


def read_tuples(
    parcel: Parcel, names: Sequence[str], convert: Callable[[Any], Any] = lambda value: value
) -> Iterator[list[tuple[Any, ...]]]:
    """Read a parcel's rows as lists of tuples, a batch at a time. Raises TerminalError for a null key."""
    for batch in parcel.read():
        columns = [[convert(value) for value in batch.column(name).to_pylist()] for name in names]
        yield list(zip(*columns, strict=True))


def _require_no_null(parcel: Parcel, key: Iterable[str]) -> None:
    """Refuse rows whose key is not whole. Raises TerminalError."""
    wanted = list(key)
    for batch in parcel.read():
        for name in wanted:
            if batch.column(name).null_count:
                msg = f"rows have no value in {name}, which the sink's key names"
                raise TerminalError(msg)


def without_zone(value: Any) -> Any:
    """Bring a time with a zone to UTC without one, for databases that keep none."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def write_receipt(receipt: Receipt) -> str:
    """Write a receipt for the note of a parcel."""
    return json.dumps({"accepted": receipt.accepted, "reference": receipt.reference})


def read_receipt(written: str) -> Receipt:
    """Read what `write_receipt` wrote."""
    held = json.loads(written)
    return Receipt(accepted=int(held["accepted"]), reference=str(held["reference"]))
