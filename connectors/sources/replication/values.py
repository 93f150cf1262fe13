"""Values as PostgreSQL writes them in text, as Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import TerminalError

# OIDs of pg_type; all other types come as the text that PostgreSQL writes.
_TYPES: Final = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int64(),
    23: pa.int64(),
    700: pa.float64(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}


def arrow_type(type_oid: int) -> pa.DataType:
    """Return the type of a column by the OID of its own; exact numbers come as text."""
    return _TYPES.get(type_oid, pa.string())


def build_column(values: Sequence[str | None], field: pa.Field) -> pa.Array:
    """Parse the text of values, as written with bytea_output hex, DateStyle ISO and the zone UTC.

    Raises TerminalError that names the column whose values Arrow cannot hold (infinity, years before 1).
    """
    text = pa.array(values, pa.string())
    try:
        if pa.types.is_string(field.type):
            return text
        if pa.types.is_boolean(field.type):
            return pc.equal(text, "t")
        if pa.types.is_binary(field.type):
            return pa.array([None if v is None else bytes.fromhex(v[2:]) for v in values], pa.binary())
        if pa.types.is_timestamp(field.type) and field.type.tz:
            return pc.replace_substring_regex(text, r"\+00$", "Z").cast(field.type)
        return text.cast(field.type)
    except (pa.ArrowException, ValueError):
        msg = f"column {field.name} holds values that are no {field.type}, as infinity is none"
        raise TerminalError(msg) from None
