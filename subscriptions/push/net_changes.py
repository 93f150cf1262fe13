"""What a page of changes comes to in a table: for each key its last state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from subscriptions.feed.columns import item_names
from subscriptions.feed.page import Page

MAX_KEY_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class NetChanges:
    """Rows to write (in the order of `columns`) and keys to delete (in the order of `keys`)."""

    columns: Mapping[str, pa.DataType]
    keys: tuple[str, ...]
    upserts: list[tuple[object, ...]]
    deletes: list[tuple[object, ...]]

    @property
    def values(self) -> list[str]:
        """The columns that are no key."""
        return [name for name in self.columns if name not in self.keys]


def net_changes(page: Page) -> NetChanges:
    """Reduce a page to the last state of each key."""
    names = item_names(page.table)
    last: dict[tuple[object, ...], tuple[object, ...] | None] = {}
    for change in page.changes:
        key = tuple(change.key[name] for name in page.key_names)
        last.pop(key, None)
        last[key] = None if change.row is None else tuple(change.row[name] for name in names)
    return NetChanges(
        columns={name: page.table.schema.field(name).type for name in names},
        keys=page.key_names,
        upserts=[row for row in last.values() if row is not None],
        deletes=[key for key, row in last.items() if row is None],
    )


def place_of(page: Page) -> str:
    """Name the place that a page ends at, without what is sealed anew each time."""
    return page.next_cursor.partition("~")[0]


def without_zone(value: object) -> object:
    """Turn a time into UTC without its zone, for databases that know none."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
