"""Records as Arrow columns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from connectors.errors import TerminalError
from connectors.paths import find_value
from connectors.sources.http.model import Column, ColumnType

_TYPES: Final = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.string(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.JSON: pa.string(),
}
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


def build_schema(columns: dict[str, Column]) -> pa.Schema:
    """Build the schema of the columns."""
    return pa.schema([(name, _TYPES[column.type]) for name, column in columns.items()])


def build_rows(records: Sequence[Any], columns: dict[str, Column]) -> pa.RecordBatch:
    """Take the columns out of records. Raises TerminalError that names the column, and no value."""
    arrays = []
    for name, column in columns.items():
        try:
            values = [_read(find_value(record, column.path), column.type) for record in records]
            arrays.append(pa.array(values, _TYPES[column.type]))
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            msg = f"column {name}: what stands at {column.path} is no {column.type}"
            raise TerminalError(msg) from None
    return pa.RecordBatch.from_arrays(arrays, schema=build_schema(columns))


def _read(value: Any, kind: ColumnType) -> Any:
    if value is None or (value == "" and kind is not ColumnType.TEXT):
        return None
    if kind is ColumnType.JSON:
        return json.dumps(value, ensure_ascii=False, default=_write_number)
    if isinstance(value, (dict, list)):
        raise TypeError(kind)
    text = _write(value)
    if kind is ColumnType.TEXT:
        return text
    return _READERS[kind](text)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _write_number(value: Any) -> Any:
    """Write an exact number within JSON text."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _read_number(text: str) -> str:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return text.strip()


def _read_boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


_READERS: Final = {
    ColumnType.INTEGER: lambda text: int(_read_number(text)),
    ColumnType.NUMBER: _read_number,
    ColumnType.BOOLEAN: _read_boolean,
    ColumnType.DATE: date.fromisoformat,
}
