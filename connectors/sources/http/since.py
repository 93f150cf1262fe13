"""Where asking for what changed goes on: the greatest value that was seen, and which records had it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa

from connectors.cursors import FOREIGN_CURSOR
from connectors.errors import TerminalError
from connectors.model import Cursor
from connectors.runner.keys import digest_rows
from connectors.sources.http.model import ColumnType

MAX_SEEN: Final = 100
_ORDERS: Final[dict[ColumnType, Callable[[str], Any]]] = {ColumnType.INTEGER: int, ColumnType.NUMBER: Decimal}


@dataclass(slots=True, kw_only=True)
class Newest:
    """The greatest value of a column. Records of that value come again; those that are known are left out.

    Where more than MAX_SEEN records have it they are not remembered, and the sink takes them once more.
    """

    column: str
    kind: ColumnType
    value: str | None = None
    _known: frozenset[str] = frozenset()
    _there: set[str] = field(default_factory=set)

    def go_on(self, cursor: Cursor | None) -> None:
        """Go on from a cursor. Raises TerminalError for one of another source."""
        if cursor is None:
            return
        since, seen = cursor.get("since"), cursor.get("seen", [])
        if not isinstance(since, str) or not isinstance(seen, list):
            raise TerminalError(FOREIGN_CURSOR)
        try:
            _ORDERS.get(self.kind, str)(since)
        except (ValueError, InvalidOperation):
            raise TerminalError(FOREIGN_CURSOR) from None
        self.value, self._known, self._there = since, frozenset(map(str, seen)), set(map(str, seen))

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return {"since": self.value, "seen": sorted(self._there) if len(self._there) <= MAX_SEEN else []}

    def take(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Note the values of rows, and return those that are not known. Raises TerminalError for none."""
        column = rows.column(self.column)
        if column.null_count:
            msg = f"records have no value in {self.column}, by which changes are asked for"
            raise TerminalError(msg)
        fresh = []
        for place, (value, digest) in enumerate(zip(column.to_pylist(), digest_rows(rows), strict=True)):
            name = digest.hex()
            self._note(value.isoformat() if hasattr(value, "isoformat") else str(value), name)
            if name not in self._known:
                fresh.append(place)
        return rows if len(fresh) == rows.num_rows else rows.take(pa.array(fresh, pa.int64()))

    def _note(self, value: str, name: str) -> None:
        order = _ORDERS.get(self.kind, str)
        if self.value is None or order(value) > order(self.value):
            self.value, self._there = value, set()
        if order(value) == order(self.value) and len(self._there) <= MAX_SEEN:
            self._there.add(name)
