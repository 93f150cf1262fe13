"""Tables of other packages that record events, held against the leaves that record the same events.

Whoever alters a version's accounting or a certificate's life in the database cannot alter the leaf. A package
says how its rows are loaded and what of a leaf stands in them; `hub` hands that to the self-check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.database import Connection
from core.log import store_check
from core.log.findings import Findings
from core.log.model import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRow:
    """What both a row and its leaf must say: whose it is (`key`, not unique), and the values by column."""

    key: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """A table whose every row one leaf of `events` records.

    `read` takes what the row must hold out of a leaf's body (members by name), None for a leaf without a row.
    """

    name: str
    events: tuple[Event, ...]
    load: Callable[[Connection], Awaitable[Sequence[RecordedRow]]]
    read: Callable[[Mapping[str, Any]], RecordedRow | None]


async def check_event_table(
    connection: Connection, table: EventTable, *, mask: Callable[[str], str], findings: Findings
) -> None:
    """Compare a table with its leaves. Rows of leaves that retention dropped cannot be compared."""
    events = [str(event) for event in table.events]
    recorded: dict[str, list[Mapping[str, object]]] = {}
    for _, body in await store_check.load_bodies_of_events(connection, events=events, with_waiting=True):
        row = _read(table, body)
        if row is not None:
            recorded.setdefault(row.key, []).append(row.values)
    anything_dropped = await store_check.has_drops(connection)
    kept: dict[str, list[Mapping[str, object]]] = {}
    for row in await table.load(connection):
        masked = {
            name: mask(value) if isinstance(value, str) else value for name, value in row.values.items()
        }
        kept.setdefault(row.key, []).append(masked)
    for key in sorted({*recorded, *kept}):
        found = _compare(recorded.get(key, []), kept.get(key, []), anything_dropped=anything_dropped)
        for problem in found:
            findings.add_row(table.name, key, problem)


def _read(table: EventTable, body: str) -> RecordedRow | None:
    try:
        return table.read(json.loads(body))
    except (ValueError, KeyError, TypeError):
        return None  # a broken leaf is named by the check of the leaves


def _compare(
    recorded: Sequence[Mapping[str, object]],
    kept: Sequence[Mapping[str, object]],
    *,
    anything_dropped: bool,
) -> list[str]:
    """Compare the leaves and the rows of one key; return what is wrong, a sentence for each row."""
    problems = []
    wanted, there = Counter(map(_freeze, recorded)), Counter(map(_freeze, kept))
    missing, strange = list((wanted - there).elements()), list((there - wanted).elements())
    for row in strange:
        if missing:
            expected = missing.pop()
            columns = [
                name for (name, value), (_, other) in zip(row, expected, strict=True) if value != other
            ]
            problems.append(f"{', '.join(columns)} is not what the leaf records")
        elif not anything_dropped:
            problems.append("no leaf records this row")
    return [*problems, *("the row is missing" for _ in missing)]


def _freeze(values: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in values.items()))
