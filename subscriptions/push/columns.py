"""What a change of items in mid-stream means for the columns of a subscriber's table.

The table was made for the items of its first message, by the hub or by the subscriber. An item that was added
gets a column; one that the grant has no more leaves a column that follows nothing and is emptied; a decimal
that was widened may need a wider column; a masked item is text, whatever it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

import pyarrow as pa

from exchange.access.values import render_value
from subscriptions.push.model import TargetGone
from subscriptions.push.net_changes import NetChanges

EMPTIED_AT_ONCE: Final = 20_000


class ColumnType(StrEnum):
    """Types of columns that the hub makes; OTHER are those that only a subscriber makes."""

    TEXT = "text"
    NUMBER = "number"
    DAY = "day"
    SECOND = "second"
    TRUTH = "truth"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a table has. `precision` and `scale` are those of a bounded decimal.

    `is_changeable`: it is as the hub makes columns, so that to widen it takes nothing of the subscriber's.
    """

    kind: ColumnType
    precision: int | None = None
    scale: int = 0
    is_changeable: bool = True


_READERS: Final[Mapping[ColumnType, Callable[[str], object]]] = {
    ColumnType.NUMBER: Decimal,
    ColumnType.DAY: date.fromisoformat,
    ColumnType.SECOND: datetime.fromisoformat,
    ColumnType.TRUTH: Decimal,
}


def verify_takes_text(changes: NetChanges, held: Mapping[str, Column]) -> None:
    """Raise TargetGone where a text, which a masked item is, meets a column that takes none."""
    for number, (name, kind) in enumerate(changes.columns.items()):
        column = held.get(name)
        if column is not None and column.kind in _READERS and pa.types.is_string(kind):
            _verify_readable(name, column, (row[number] for row in changes.upserts))


def write_as_text(changes: NetChanges, held: Mapping[str, Column]) -> NetChanges:
    """Return the changes with the values that meet a column of text as NDJSON writes them."""
    as_text = {
        number
        for number, (name, kind) in enumerate(changes.columns.items())
        if name in held and held[name].kind is ColumnType.TEXT and not pa.types.is_string(kind)
    }
    if not as_text:
        return changes
    rows = [
        tuple(_write(value) if number in as_text else value for number, value in enumerate(row))
        for row in changes.upserts
    ]
    return replace(changes, upserts=rows)


def _write(value: object) -> object:
    shown = render_value(value)
    return str(shown).lower() if isinstance(shown, bool) else shown


def _verify_readable(name: str, column: Column, values: Iterator[object]) -> None:
    for value in values:
        try:
            if value is not None:
                _READERS[column.kind](str(value))
        except (ValueError, InvalidOperation) as unreadable:
            msg = (
                f"{name} is text now, as a masked item is, and its column in the table takes none; make it a"
                " text column, then resume"
            )
            raise TargetGone(msg) from unreadable


def find_too_narrow(changes: NetChanges, held: Mapping[str, Column]) -> dict[str, tuple[int, int]]:
    """Find the decimal columns that a value does not fit; return the precision and scale that they need."""
    found = {}
    for number, (name, kind) in enumerate(changes.columns.items()):
        column = held.get(name)
        if column is None or column.precision is None or not pa.types.is_decimal(kind):
            continue
        bound = Decimal(10) ** (column.precision - column.scale)
        values = (row[number] for row in changes.upserts)
        if column.is_changeable and any(isinstance(v, Decimal) and abs(v) >= bound for v in values):
            found[name] = (kind.precision - kind.scale + column.scale, column.scale)
    return found


def write_items(changes: NetChanges) -> str:
    """Write down which items a message brought, beside the place."""
    return json.dumps(list(changes.columns))


def find_withdrawn(written: str | None, names: Sequence[str], held: Collection[str]) -> list[str]:
    """Name the columns that earlier messages wrote and that the grant has no more."""
    before = [] if not written else json.loads(written)
    return [name for name in before if name not in names and name in held]


def cannot_empty(name: str) -> TargetGone:
    """Build the reason to stop where a column without its item takes no null."""
    return TargetGone(
        f"the grant has no {name} any more, and its column in the table cannot be emptied; let it take nulls,"
        " or drop it, then resume"
    )
