"""Rows of Python values, as drivers of databases give them, as Arrow batches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.errors import TerminalError


def build_batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Build a batch. Values of text columns are written as text, bytes among them in hexadecimal.

    Raises TerminalError that names the column whose values are not of its type.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [_build_column(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _build_column(values: tuple[Any, ...], field: Any) -> pa.Array:
    if pa.types.is_string(field.type):
        values = tuple(None if value is None else to_text(value) for value in values)
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        msg = f"column {field.name} holds values that are no {field.type}; CAST it in a query"
        raise TerminalError(msg) from None


def to_text(value: Any) -> str:
    """Write a value as text that a hub reads."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return _write_time(value)
    return str(value)


def _write_time(value: timedelta) -> str:
    """Write a time of day, or a span, as HH:MM:SS with the part of a second where there is one."""
    total = value // timedelta(microseconds=1)
    seconds, micros = divmod(abs(total), 1_000_000)
    text = f"{'-' if total < 0 else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{micros:06}" if micros else text
