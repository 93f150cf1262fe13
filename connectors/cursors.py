"""Values inside cursors: what databases order rows by, written so that JSON keeps them exactly."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connectors.errors import TerminalError

FOREIGN_CURSOR: Final = (
    "the cursor is none of this source; was the configuration changed? `connector reset` begins anew"
)
_WRITERS: Final[dict[type, tuple[str, Any]]] = {
    bool: ("boolean", bool),
    int: ("integer", str),
    float: ("float", float.hex),
    str: ("text", str),
    Decimal: ("decimal", str),
    datetime: ("time", datetime.isoformat),
    date: ("day", date.isoformat),
    bytes: ("bytes", bytes.hex),
}
_READERS: Final[dict[str, Any]] = {
    "boolean": bool,
    "integer": int,
    "float": float.fromhex,
    "text": str,
    "decimal": Decimal,
    "time": datetime.fromisoformat,
    "day": date.fromisoformat,
    "bytes": bytes.fromhex,
}


def write_values(values: Iterable[Any]) -> list[list[Any]]:
    """Write values as `[type, text]`. Raises TerminalError for null and for other types."""
    return [_write(value) for value in values]


def read_values(written: Any) -> list[Any]:
    """Read what `write_values` wrote. Raises TerminalError where it is something else."""
    try:
        return [_READERS[kind](text) for kind, text in written]
    except (KeyError, TypeError, ValueError, InvalidOperation) as trouble:
        raise TerminalError(FOREIGN_CURSOR) from trouble


def _write(value: Any) -> list[Any]:
    kind = _WRITERS.get(type(value))
    if kind is None:
        msg = f"a watermark or key of type {type(value).__name__} cannot be kept in a cursor"
        raise TerminalError(msg)
    name, write = kind
    return [name, write(value)]
