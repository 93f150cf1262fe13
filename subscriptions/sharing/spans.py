"""What is kept of a file's values, so that files which hold nothing sought can be passed over."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from subscriptions.sharing.model import Span

MAX_CHARACTERS: Final = 200


def measure(table: pa.Table) -> dict[str, Span]:
    """Measure every column."""
    return {name: _measure(table.column(name)) for name in table.column_names}


def _measure(column: pa.ChunkedArray) -> Span:
    found = pc.min_max(column).as_py()
    low, high = _render(found["min"]), _render(found["max"])
    if low is None or high is None:
        low = high = None
    return Span(low=low, high=high, nulls=column.null_count)


def _render(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return text if len(text) <= MAX_CHARACTERS else None


def parse_bound(text: str, kind: pa.DataType) -> Any:
    """Read a bound, or a value that it is compared with, in the order of its column. Raises ValueError."""
    if pa.types.is_decimal(kind):
        return _parse_decimal(text)
    if pa.types.is_date(kind):
        return date.fromisoformat(text[:10])
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            msg = "a time needs its zone"
            raise ValueError(msg)
        return moment
    if pa.types.is_boolean(kind):
        return {"false": False, "true": True}[text.lower()]
    return text.encode()  # by UTF-8, as Parquet and PostgreSQL's collation C order text


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as wrong:
        raise ValueError(text) from wrong
