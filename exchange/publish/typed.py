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
from exchange.publish.columns import TextColumn, to_mask, to_numpy

ROW_COLUMN: Final = "_row"
COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
PG_EPOCH_DAYS: Final = 10_957  # from 1970-01-01 to 2000-01-01
PG_EPOCH_US: Final = PG_EPOCH_DAYS * 86_400_000_000
_NULL_FIELD: Final = pa.scalar(b"\xff\xff\xff\xff", pa.binary())
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
    head = np.zeros(count, dtype=[("fields", ">i2"), ("size", ">i4"), ("row", ">i8")])
    head["fields"], head["size"] = table.num_columns, 8
    head["row"] = to_numpy(table.column(ROW_COLUMN).combine_chunks()) if version is None else version
    parts = [_fixed(head)]
    for name in table.column_names[1:]:
        parts += _encode_column(table.column(name).combine_chunks())
    rows = pc.binary_join_element_wise(*parts, _NOTHING)
    if order:
        rows = rows.take(pc.sort_indices(table, [(name, "ascending") for name in order]))
    arrays = rows.chunks if isinstance(rows, pa.ChunkedArray) else [rows]
    return b"".join([COPY_HEADER, *map(_bytes_of, arrays), COPY_TRAILER])


def _bytes_of(array: pa.Array) -> bytes:
    column = TextColumn(array)
    return column.data.tobytes()


def _fixed(values: Any) -> pa.Array:
    """Turn numpy values of one width into Arrow bytes."""
    kind = pa.binary(values.dtype.itemsize)
    held = np.ascontiguousarray(values)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(held), [None, pa.py_buffer(held)]).cast(pa.binary())


def _encode_column(column: pa.Array) -> list[Any]:
    if column.null_count == len(column):
        return [_NULL_FIELD]
    if pa.types.is_date(column.type):
        return _encode_numbers(column, column.view(pa.int32()), ">i4", PG_EPOCH_DAYS)
    if pa.types.is_timestamp(column.type):
        return _encode_numbers(column, column.view(pa.int64()), ">i8", PG_EPOCH_US)
    if pa.types.is_boolean(column.type):
        return _encode_numbers(column, column.cast(pa.int8()), ">i1", 0)
    if pa.types.is_decimal(column.type):
        column = decimal_text(column)
    cells = TextColumn(column)
    sizes = np.where(cells.valid, cells.lengths, -1)
    smallest, largest = int(sizes.min()), int(sizes.max())
    if smallest == largest:
        prefix: Any = pa.scalar(smallest.to_bytes(4, "big"), pa.binary())
    else:
        prefix = _fixed(sizes.astype(">i4"))
    return [prefix, pc.fill_null(column, "").cast(pa.binary())]


def _encode_numbers(column: pa.Array, numbers: pa.Array, kind: str, epoch: int) -> list[Any]:
    size = np.dtype(kind).itemsize
    plain = to_numpy(pc.fill_null(numbers, epoch))
    fields = np.zeros(len(column), dtype=[("size", ">i4"), ("value", kind)])
    fields["size"], fields["value"] = size, plain - epoch
    cells = _fixed(fields)
    if column.null_count:
        cells = pc.if_else(pa.array(to_mask(column.is_valid())), cells, _NULL_FIELD)
    return [cells]


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
