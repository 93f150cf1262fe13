"""Whole tables written at once, for COPY and for digests, against the same row by row."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from exchange.accounting.canonical import canonical_rows
from exchange.publish.typed import COPY_HEADER, COPY_TRAILER, encode_rows

TABLES = 60
_DAY_ZERO, _TIME_ZERO = date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)


def make_value(chance: Random, kind: pa.DataType, width: int | None) -> Any:
    if pa.types.is_date(kind):
        return date(1900, 1, 1) + timedelta(days=chance.randrange(60_000))
    if pa.types.is_timestamp(kind):
        return datetime(1950, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(3 * 10**9))
    if pa.types.is_boolean(kind):
        return chance.random() < 0.5
    return "".join(chance.choices("甲乙丙" if width else "a乙", k=width or chance.randrange(9)))


def make_table(chance: Random) -> pa.Table:
    """Make columns without nulls, with some and with nothing else; texts of one width and of several."""
    count = chance.choice([1, 2, 30])
    columns: dict[str, pa.Array] = {"_row": pa.array(range(7, 7 + count), pa.int64())}
    for number in range(chance.randint(1, 8)):
        kind = chance.choice([pa.string(), pa.string(), pa.date32(), pa.timestamp("us", "UTC"), pa.bool_()])
        empty, width = chance.choice([0, 0, 0.3, 1]), chance.choice([None, 1, 6])
        values = [None if chance.random() < empty else make_value(chance, kind, width) for _ in range(count)]
        columns[chance.choice("abc") * chance.randint(1, 3) + str(number)] = pa.array(values, kind)
    return pa.table(columns)


def encode_field(value: Any) -> bytes:
    if value is None:
        return struct.pack(">i", -1)
    if isinstance(value, bool):
        held = struct.pack(">b", value)
    elif isinstance(value, datetime):
        held = struct.pack(">q", (value - _TIME_ZERO) // timedelta(microseconds=1))
    elif isinstance(value, date):
        held = struct.pack(">i", (value - _DAY_ZERO).days)
    else:
        held = value.encode()
    return struct.pack(">i", len(held)) + held


def write_canonical(row: dict[str, Any]) -> bytes:
    out = b""
    for name in sorted(row):
        value = row[name]
        if value is None:
            continue
        if isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, datetime):
            text = f"{value:%Y%m%d%H%M%S}"
        else:
            text = value if isinstance(value, str) else value.isoformat()
        out += bytes([len(name)]) + name.encode() + struct.pack(">I", len(text.encode())) + text.encode()
    return out


@pytest.mark.parametrize("version", [None, 1, 2**40])
def test_encoded_table_is_what_its_rows_are_one_by_one(version: int | None) -> None:
    chance = Random(1)
    for _ in range(TABLES):
        table = make_table(chance)
        rows = b""
        for row in table.to_pylist():
            first = struct.pack(">iq", 8, row.pop("_row") if version is None else version)
            row.pop("_row", None)
            rows += struct.pack(">h", len(row) + 1) + first + b"".join(map(encode_field, row.values()))
        assert encode_rows(table, version=version) == COPY_HEADER + rows + COPY_TRAILER


def test_canonical_rows_are_what_each_is_alone() -> None:
    chance = Random(2)
    for _ in range(TABLES):
        table = make_table(chance).drop_columns("_row")
        assert canonical_rows(table, table.column_names) == [write_canonical(r) for r in table.to_pylist()]


def test_canonical_rows_of_a_slice_are_those_of_its_place() -> None:
    table = make_table(Random(5)).drop_columns("_row")
    rows = canonical_rows(table, table.column_names)
    assert canonical_rows(table.slice(1), table.column_names) == rows[1:]
