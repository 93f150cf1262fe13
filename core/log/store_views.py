"""SQL of the auditor's views: leaves by what they are about, and counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.database import Connection
from core.log.model import Leaf
from core.log.store_read import read_leaf
from core.log.views_model import Filter, Grouping, UsageRow

_GROUPS = {
    Grouping.ORGANISATION: "l.organisation_code",
    Grouping.OPERATOR: "l.operator",
    Grouping.SYSTEM: "l.system_id::text",
    Grouping.RESOURCE: "l.resource_code",
    Grouping.OWNER: "l.owner_code",
    Grouping.CASE: "l.case_number",
    Grouping.ITEM: "i.item",
}
_ITEMS = (
    " CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(l.body::jsonb #> '{details,items}')"
    " = 'array' THEN l.body::jsonb #> '{details,items}' ELSE '[]'::jsonb END) AS i(item)"
)


class _Where:
    """Builds a WHERE clause of what is set alone, so that PostgreSQL plans with the right index."""

    def __init__(self, chosen: Filter, visible_to: str | None) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []
        self.add("l.organisation_code = {}", chosen.organisation)
        self.add("l.owner_code = {}", chosen.owner)
        self.add("l.operator = {}", chosen.operator)
        self.add("l.system_id = {}", chosen.system)
        self.add("l.resource_code = {}", chosen.resource)
        self.add("l.case_number = {}", chosen.case_number)
        self.add("l.certificate_id = {}", chosen.certificate)
        self.add("l.event = ANY({}::text[])", list(chosen.events) or None)
        self.add("l.recorded_at >= {}", chosen.since)
        self.add("l.recorded_at < {}", chosen.until)
        self.add("{0} IN (l.organisation_code, l.owner_code)", visible_to)

    def add(self, condition: str, *values: object) -> None:
        """Add a condition with its values, unless the first of them is None."""
        if values[0] is None:
            return
        places = [self.place(value) for value in values]
        self._conditions.append(condition.format(*places))

    def place(self, value: object) -> str:
        """Add an argument and name its place."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    @property
    def sql(self) -> str:
        """The clause; empty where nothing is set."""
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""


async def load_leaves(
    connection: Connection,
    *,
    chosen: Filter,
    visible_to: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Leaf]:
    """Load leaves in the order of time, after a position; only those that one organisation may see."""
    where = _Where(chosen, visible_to)
    if after is not None:
        where.add("(l.recorded_at, l.id) > ({}, {})", *after)
    clause = where.sql
    rows = await connection.fetch(
        "SELECT l.*, e.leaf_index FROM core.log_leaf l LEFT JOIN core.log_entry e ON e.leaf_id = l.id"
        f"{clause} ORDER BY l.recorded_at, l.id LIMIT {where.place(limit)}",
        *where.arguments,
    )
    return [read_leaf(row) for row in rows]


async def count_leaves(
    connection: Connection,
    *,
    chosen: Filter,
    visible_to: str | None,
    by: Sequence[Grouping],
    limit: int,
) -> list[UsageRow]:
    """Count leaves by event and what `by` names, the most frequent first."""
    columns = [_GROUPS[each] for each in by]
    items = _ITEMS if Grouping.ITEM in by else ""
    selected = "".join(f", {column} AS g{n}" for n, column in enumerate(columns))
    where = _Where(chosen, visible_to)
    clause = where.sql
    rows = await connection.fetch(
        "SELECT l.event, count(*) AS times, count(DISTINCT l.case_number) AS cases,"
        f" min(l.recorded_at) AS first_at, max(l.recorded_at) AS last_at{selected}"
        f" FROM core.log_leaf l{items}{clause}"
        f" GROUP BY l.event{''.join(f', {column}' for column in columns)}"
        f" ORDER BY count(*) DESC, l.event LIMIT {where.place(limit)}",
        *where.arguments,
    )
    return [
        UsageRow(
            event=row["event"],
            groups={str(name): row[f"g{n}"] for n, name in enumerate(by)},
            times=row["times"],
            cases=row["cases"],
            first_at=row["first_at"],
            last_at=row["last_at"],
        )
        for row in rows
    ]


async def load_leaves_at(connection: Connection, *, indexes: Sequence[int]) -> dict[int, Leaf]:
    """Load the leaves at places of the tree, as far as their payloads are there."""
    rows = await connection.fetch(
        "SELECT l.*, e.leaf_index FROM core.log_entry e JOIN core.log_leaf l ON l.id = e.leaf_id"
        " WHERE e.leaf_index = ANY($1::bigint[])",
        indexes,
    )
    return {row["leaf_index"]: read_leaf(row) for row in rows}


async def load_waiting_about(connection: Connection, *, subject_hmac: bytes) -> list[Leaf]:
    """Load the leaves about a subject that the sequencer has not reached."""
    rows = await connection.fetch(
        "SELECT l.*, NULL::bigint AS leaf_index"
        " FROM core.log_pending p JOIN core.log_leaf l ON l.id = p.leaf_id"
        " WHERE l.subject_hmac = $1 OR $1 = ANY(l.subjects) ORDER BY l.recorded_at, l.id LIMIT 1000",
        subject_hmac,
    )
    return [read_leaf(row) for row in rows]
