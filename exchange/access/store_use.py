"""How a grant was used, read from the transparency log: the same record that auditors read."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from core.database import Connection
from exchange.access.model import Grant, GrantUse, ItemUse

_USES: Final = ("data.queried", "facts.verified", "changes.read", "share.read")


async def load_use(connection: Connection, *, grant: Grant, since: datetime) -> GrantUse:
    """Count the calls and rows under a grant since a time, and each item's calls and last use."""
    rows = await connection.fetch(
        "WITH used AS MATERIALIZED (SELECT recorded_at, body::jsonb -> 'details' AS details"
        " FROM core.log_leaf WHERE resource_code = $1 AND recorded_at >= $2 AND grant_id = $3"
        " AND event = ANY($4::text[])),"
        " by_item AS (SELECT i.item, count(*) AS calls, max(u.recorded_at) AS last_used_at"
        " FROM used u, LATERAL (SELECT DISTINCT item FROM"
        " jsonb_array_elements_text(u.details -> 'items') AS e(item)) i GROUP BY i.item)"
        " SELECT NULL AS item, count(*) AS calls, NULL::timestamptz AS last_used_at,"
        " coalesce(sum((details ->> 'rows')::bigint), 0)::bigint AS row_count FROM used"
        " UNION ALL SELECT item, calls, last_used_at, 0 FROM by_item",
        grant.resource_code,
        since,
        grant.id,
        list(_USES),
    )
    total = next(row for row in rows if row["item"] is None)
    found = {row["item"]: row for row in rows}
    return GrantUse(
        grant=grant,
        since=since,
        calls=total["calls"],
        rows=total["row_count"],
        items=tuple(
            ItemUse(item=name, calls=found[name]["calls"], last_used_at=found[name]["last_used_at"])
            if name in found
            else ItemUse(item=name, calls=0, last_used_at=None)
            for name in grant.terms.items
        ),
    )
