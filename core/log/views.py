"""The auditor's views: a case's story, searches, and who used whose data how often.

Auditors see everything. Every other organisation sees its own acts, and what others did with its data.
Reading an audit trail is an act too, and leaves a leaf.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from core.caller import Caller, Scope
from core.database import Database
from core.errors import BadInput
from core.log import store_views
from core.log.model import Event, Leaf
from core.log.views_model import Filter, Grouping, LeafPage, UsageRow
from core.log.writer import LogWriter

MAX_PAGE_LEAVES: Final = 1000
MAX_USAGE_ROWS: Final = 10_000


class ViewService:
    """Answers an auditor's questions. `caller` None is whoever runs the hub, on its command line."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    async def search(
        self, chosen: Filter, *, caller: Caller | None, after: str | None, limit: int, view: str = "search"
    ) -> LeafPage:
        """Load a page of leaves in the order of time. Raises BadInput for what is no cursor."""
        chosen = self._mask(chosen)
        async with self._database.transaction() as connection:
            leaves = await store_views.load_leaves(
                connection,
                chosen=chosen,
                visible_to=visible_to(caller),
                after=None if after is None else parse_cursor(after),
                limit=limit + 1,
            )
            page = leaves[:limit]
            await self._log.append(
                connection,
                event=Event.AUDIT_READ,
                caller=caller,
                details={"view": view, "of": describe_filter(chosen), "leaves": len(page)},
            )
        more = len(leaves) > limit
        return LeafPage(leaves=tuple(page), next_cursor=build_cursor(page[-1]) if more else None)

    async def count(
        self, chosen: Filter, *, by: Sequence[Grouping], caller: Caller | None, view: str = "usage"
    ) -> list[UsageRow]:
        """Count leaves by event and by what `by` names, the most frequent first; at most 10,000 rows."""
        chosen = self._mask(chosen)
        async with self._database.transaction() as connection:
            rows = await store_views.count_leaves(
                connection,
                chosen=chosen,
                visible_to=visible_to(caller),
                by=tuple(dict.fromkeys(by)),
                limit=MAX_USAGE_ROWS,
            )
            await self._log.append(
                connection,
                event=Event.AUDIT_READ,
                caller=caller,
                details={
                    "view": view,
                    "of": describe_filter(chosen),
                    "leaves": sum(row.times for row in rows),
                },
            )
        return rows

    def _mask(self, chosen: Filter) -> Filter:
        """Look for numbers as they stand in leaves: as keyed hashes."""
        mask = self._log.mask
        return replace(
            chosen,
            operator=None if chosen.operator is None else mask(chosen.operator),
            case_number=None if chosen.case_number is None else mask(chosen.case_number),
        )


def visible_to(caller: Caller | None) -> str | None:
    """Name the organisation whose acts and data bound a view; None for auditors and the hub itself."""
    return None if caller is None or Scope.AUDIT in caller.scopes else str(caller.organisation_code)


def describe_filter(chosen: Filter) -> str:
    """Write down what was asked for, for the log."""
    parts = {
        "organisation": chosen.organisation,
        "owner": chosen.owner,
        "operator": chosen.operator,
        "system": chosen.system,
        "resource": chosen.resource,
        "case": chosen.case_number,
        "certificate": chosen.certificate,
        "events": " ".join(chosen.events) or None,
        "since": None if chosen.since is None else chosen.since.isoformat(),
        "until": None if chosen.until is None else chosen.until.isoformat(),
    }
    return " ".join(f"{name}={value}" for name, value in parts.items() if value is not None) or "everything"


def build_cursor(leaf: Leaf) -> str:
    """Write a position after a leaf."""
    text = f"{leaf.recorded_at.isoformat()} {leaf.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Read a position. Raises BadInput."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, leaf_id = text.partition(" ")
        position = datetime.fromisoformat(at), UUID(leaf_id)
    except (ValueError, binascii.Error) as wrong:
        msg = "after is not a cursor of this view; send the next_cursor of the page before"
        raise BadInput(msg) from wrong
    if position[0].tzinfo is None:
        msg = "after is not a cursor of this view; send the next_cursor of the page before"
        raise BadInput(msg)
    return position
