"""The bytes of a row that digests are made of, the same at every station.

A row is the concatenation, over its items that are not null in the order of their names' UTF-8, of the
name's length (one octet), the name, the value's length (four octets, big-endian) and the value in UTF-8.
Text is as standardised; days are `2024-02-09`, seconds `20240209093000` in UTC, decimals have all digits of
their scale, booleans are `true` and `false`. Lengths make the form injective; leaving nulls out makes it
indifferent to items that are added later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from exchange.publish.columns import FixedRun, TextColumn, as_text, octets_of
from exchange.publish.typed import decimal_text

KEY_SEPARATOR: Final = "\x1f"
_NOTHING: Final = pa.scalar(b"", pa.binary())


def canonical_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Write a typed column as the text that is digested."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_decimal(array.type):
        return decimal_text(array)
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array.cast(pa.timestamp("s", array.type.tz)), format="%Y%m%d%H%M%S")
    return as_text(array)


def canonical_rows(table: pa.Table, names: Sequence[str]) -> list[bytes]:
    """Write the rows of a typed table, items `names` of it."""
    parts: list[Any] = []
    run = FixedRun(table.num_rows)
    for name in sorted(names, key=str.encode):
        parts += _encode(name, canonical_text(table.column(name)), run)
    parts += run.take()
    if not parts:
        return [b""] * table.num_rows
    joined = pc.binary_join_element_wise(*parts, _NOTHING)
    array = joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
    rows: list[bytes] = array.to_pylist()
    return rows


def canonical_keys(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Write the key of each row: its items' text in the order given, joined by U+001F."""
    columns = [pc.fill_null(canonical_text(table.column(name)), "") for name in names]
    return columns[0] if len(columns) == 1 else as_text(pc.binary_join_element_wise(*columns, KEY_SEPARATOR))


def _encode(name: str, column: pa.Array, run: FixedRun) -> list[Any]:
    """Write an item's part of all rows: its name with the length, and its value; nothing where it is null.

    What has one width in all rows goes into `run`, which is among the parts where another follows it.
    """
    if column.null_count == len(column):
        return []
    encoded, cells = name.encode(), TextColumn(column)
    head = bytes([len(encoded)]) + encoded
    if (square := cells.square) is not None:
        run.add(head + square.shape[1].to_bytes(4, "big"))
        run.fill(square)
        return []
    lengths, values = octets_of(cells.lengths.astype(">u4")), column.cast(pa.binary())
    if column.null_count == 0:
        run.add(head)
        run.fill(lengths)
        return [*run.take(), values]
    sparse = FixedRun(len(cells))
    sparse.add(head)
    sparse.fill(lengths)
    heads = pc.if_else(pa.array(cells.valid), *sparse.take(), _NOTHING)
    return [*run.take(), heads, pc.fill_null(values, b"")]
