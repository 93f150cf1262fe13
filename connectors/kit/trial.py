"""What checks of a source work with: fresh instances, what they read, the stage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from connectors.kit.model import Failed, Row, Skipped, SourceStage
from connectors.model import Batch, Cursor, Operation, Reading
from connectors.protocols import Source
from connectors.runner.keys import digest_rows

MAX_BATCHES = 200
COLUMNS = ("id", "name", "amount", "day")


@dataclass(slots=True, kw_only=True)
class SourceTrial:
    """One source under test. `make` makes it anew, with the same options each time."""

    make: Callable[[], Source]
    stage: SourceStage | None = None

    @contextmanager
    def opened(self) -> Iterator[Source]:
        """A fresh source, closed afterwards."""
        source = self.make()
        try:
            yield source
        finally:
            source.close()

    def read(self, cursor: Cursor | None = None) -> list[Batch]:
        """Read on after a cursor, at most MAX_BATCHES batches."""
        with self.opened() as source:
            found = []
            for batch in source.read(cursor):
                found.append(batch)
                if len(found) == MAX_BATCHES:
                    break
            return found

    def sample(self) -> list[Batch]:
        """Read from the start. Skips the check where there are no rows."""
        batches = self.read()
        if not sum(batch.rows.num_rows for batch in batches):
            msg = "the source has no rows"
            raise Skipped(msg)
        return batches

    def require_incremental(self) -> None:
        """Skip the check for a source that reads in full."""
        with self.opened() as source:
            if source.capabilities.reading is Reading.FULL:
                msg = "the source reads in full"
                raise Skipped(msg)

    def staged(self, *rows: Row) -> SourceStage:
        """Return the stage, emptied and filled with rows. Skips the check where there is none."""
        if self.stage is None:
            msg = "needs a stage"
            raise Skipped(msg)
        self.stage.reset()
        if rows:
            self.stage.put(rows)
        return self.stage

    def last_cursor(self) -> Cursor | None:
        """Read everything and return the last cursor."""
        cursors = [batch.cursor for batch in self.read() if batch.cursor is not None]
        return cursors[-1] if cursors else None

    def rows_after(self, cursor: Cursor | None = None) -> list[Row]:
        """Read the kit's rows; the newest of each id counts, and deleted ones are left out."""
        return list(play(self.read(cursor)).values())


def play(batches: list[Batch]) -> dict[int, Row]:
    """Apply batches in their order: id → its last row."""
    there: dict[int, Row] = {}
    for batch in batches:
        for values in batch.rows.to_pylist():
            number = int(values["id"])
            if batch.operation is Operation.DELETE:
                there.pop(number, None)
            else:
                there[number] = to_row(values)
    return there


def to_row(values: dict[str, Any]) -> Row:
    """Read a row of the kit out of columns of any type. Raises Failed."""
    if missing := [name for name in COLUMNS if name not in values]:
        msg = f"columns {', '.join(missing)} are not there"
        raise Failed(msg)
    return Row(
        id=int(values["id"]),
        name=None if values["name"] is None else str(values["name"]),
        amount=_to_decimal(values["amount"]),
        day=_to_day(values["day"]),
    )


def _to_decimal(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        msg = "an amount came back as something that is no number"
        raise Failed(msg) from None


def _to_day(value: Any) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    text = value.isoformat()[:10] if isinstance(value, datetime) else str(value)
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = "a day came back as something that is no day"
        raise Failed(msg) from None


def count_rows(batches: list[Batch]) -> Counter[bytes]:
    """Count the rows of batches by their digests, whatever their order."""
    found: Counter[bytes] = Counter()
    for batch in batches:
        found.update(batch.operation.value.encode() + digest for digest in digest_rows(batch.rows))
    return found


def require(holds: object, otherwise: str) -> None:
    """Fail the check unless something holds."""
    if not holds:
        raise Failed(otherwise)


def through_json(cursor: Cursor) -> Cursor:
    """Send a cursor through JSON, as the runner does. Raises Failed."""
    try:
        return dict(json.loads(json.dumps(cursor, allow_nan=False)))
    except (TypeError, ValueError) as trouble:
        msg = f"a cursor is nothing that JSON holds ({type(trouble).__name__})"
        raise Failed(msg) from None


def is_plain(kind: pa.DataType) -> bool:
    """Tell whether a type is one that every sink takes."""
    checks = (
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string),
        *(pa.types.is_binary, pa.types.is_date32, pa.types.is_timestamp, pa.types.is_decimal),
    )
    return any(check(kind) for check in checks)
