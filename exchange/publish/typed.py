"""Accepted rows as PostgreSQL's binary COPY takes them, and their types there and in Arrow.

Source: PostgreSQL 18 manual, COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange.catalogue.formats import Format, Kind
from exchange.publish.columns import FixedRun, TextColumn, octets_of, to_mask, to_numpy

ROW_COLUMN: Final = "_row"
COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
PG_EPOCH_DAYS: Final = 10_957  # from 1970-01-01 to 2000-01-01
PG_EPOCH_US: Final = PG_EPOCH_DAYS * 86_400_000_000
_NULL_FIELD: Final = b"\xff\xff\xff\xff"
_NOTHING: Final = pa.scalar(b"", pa.binary())


def arrow_type(form: Format) -> pa.DataType:
    """Return the Arrow type of a validated column."""
    if form.kind is Kind.DECIMAL:
        return pa.decimal128(form.precision, form.scale)
    return _ARROW_TYPES[form.kind]


_ARROW_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.DIGITS: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.SECOND: pa.timestamp("us", "UTC"),
    Kind.BOOLEAN: pa.bool_(),
}


def encode_rows(table: pa.Table, *, version: int | None = None, order: Sequence[str] = ()) -> bytes:
    """Encode typed columns as one binary COPY stream, header and trailer included; none for no rows.

    Before the items comes the number of each row, or the version where that is given. With an `order`, rows
    go by these columns, ascending.
    """
    count = table.num_rows
    if count == 0:
        return b""
    run, parts = FixedRun(count), []
    run.add(table.num_columns.to_bytes(2, "big") + (8).to_bytes(4, "big"))
    if version is None:
        run.fill(octets_of(to_numpy(table.column(ROW_COLUMN).combine_chunks()).astype(">i8")))
    else:
        run.add(version.to_bytes(8, "big"))
    for name in table.column_names[1:]:
        parts += _encode_column(table.column(name).combine_chunks(), run)
    parts += run.take()
    rows = pc.binary_join_element_wise(*parts, _NOTHING)
    if order:
        rows = rows.take(pc.sort_indices(table, [(name, "ascending") for name in order]))
    arrays = rows.chunks if isinstance(rows, pa.ChunkedArray) else [rows]
    return b"".join([COPY_HEADER, *map(_bytes_of, arrays), COPY_TRAILER])


def _bytes_of(array: pa.Array) -> bytes:
    column = TextColumn(array)
    return column.data.tobytes()


def _encode_column(column: pa.Array, run: FixedRun) -> list[Any]:
    """Encode a column: sizes and values. What has one width in all rows goes into `run`."""
    if column.null_count == len(column):
        run.add(_NULL_FIELD)
        return []
    if pa.types.is_date(column.type):
        return _encode_numbers(column, column.view(pa.int32()), ">i4", PG_EPOCH_DAYS, run)
    if pa.types.is_timestamp(column.type):
        return _encode_numbers(column, column.view(pa.int64()), ">i8", PG_EPOCH_US, run)
    if pa.types.is_boolean(column.type):
        return _encode_numbers(column, column.cast(pa.int8()), ">i1", 0, run)
    if pa.types.is_decimal(column.type):
        column = decimal_text(column)
    cells = TextColumn(column)
    if (square := cells.square) is not None:
        run.add(square.shape[1].to_bytes(4, "big"))
        run.fill(square)
        return []
    run.fill(octets_of(np.where(cells.valid, cells.lengths, -1).astype(">i4")))
    return [*run.take(), pc.fill_null(column, "").cast(pa.binary())]


def _encode_numbers(column: pa.Array, numbers: pa.Array, kind: str, epoch: int, run: FixedRun) -> list[Any]:
    values = octets_of((to_numpy(pc.fill_null(numbers, epoch)) - epoch).astype(kind))
    fields = FixedRun(len(column)) if column.null_count else run
    fields.add(values.shape[1].to_bytes(4, "big"))
    fields.fill(values)
    if fields is run:
        return []
    cells = pc.if_else(pa.array(to_mask(column.is_valid())), *fields.take(), pa.scalar(_NULL_FIELD))
    return [*run.take(), cells]


def decimal_text(column: pa.Array) -> pa.Array:
    """Write decimals with all digits of their scale and without an exponent."""
    text = column.cast(pa.string())
    if column.type.scale <= _PLAIN_SCALE:
        return text
    scale = column.type.scale
    return pa.array(
        [None if value is None else f"{value:.{scale}f}" for value in column.to_pylist()], pa.string()
    )


_PLAIN_SCALE: Final = 6  # Arrow writes an exponent where more zeros than this follow the point
