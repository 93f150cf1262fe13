"""All SQL of counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.database import Connection
from evidence.counters.model import Counter, Period

_COUNT = (
    "SELECT c.item_code, c.organisation_code AS office, o.name AS office_name,"
    " to_char(c.opened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month,"
    " count(*) AS cases, sum(c.runs) AS runs, sum(l.required) AS required, sum(l.supplied) AS supplied,"
    " sum(l.waived) AS waived, sum(l.undertaken) AS undertaken, sum(l.remaining) AS remaining,"
    " sum(k.asked) AS asked, sum(k.needless) AS needless, sum(r.queries) AS queries,"
    " sum(r.took_ms) AS took_ms, max(r.longest_ms) AS longest_ms, count(c.closed_at) AS closed,"
    " coalesce(sum(extract(epoch FROM c.closed_at - c.opened_at)), 0)::bigint AS closed_s"
    " FROM evidence.case_ c"
    " JOIN core.organisation o ON o.code = c.organisation_code"
    " JOIN evidence.case_run l ON l.case_id = c.id AND l.run = c.runs"
    " CROSS JOIN LATERAL (SELECT sum(calls) AS queries, sum(took_ms) AS took_ms, max(took_ms) AS longest_ms"
    " FROM evidence.case_run WHERE case_id = c.id) r"
    " CROSS JOIN LATERAL (SELECT count(DISTINCT material_code) AS asked,"
    " count(DISTINCT material_code) FILTER (WHERE finding IS NOT NULL) AS needless"
    " FROM evidence.asking WHERE case_id = c.id) k"
    " WHERE c.opened_at >= $1 AND c.opened_at < $2"
    " AND ($3::text[] IS NULL OR c.organisation_code = ANY($3)) AND ($4::text IS NULL OR c.item_code = $4)"
    " GROUP BY c.item_code, c.organisation_code, o.name, month ORDER BY month, office, c.item_code"
)
_NUMBERS: Final = (
    *("cases", "runs", "required", "supplied", "waived", "undertaken", "remaining", "asked", "needless"),
    *("queries", "took_ms", "longest_ms", "closed", "closed_s"),
)


async def count_cases(
    connection: Connection, *, period: Period, offices: Sequence[str] | None, item_code: str | None
) -> list[Counter]:
    """Count the cases of a period by item, office and month, of some offices or (None) all."""
    rows = await connection.fetch(
        _COUNT, period.since, period.until, None if offices is None else list(offices), item_code
    )
    return [
        Counter(
            item_code=row["item_code"],
            office=row["office"],
            office_name=row["office_name"],
            month=row["month"],
            **{name: int(row[name]) for name in _NUMBERS},
        )
        for row in rows
    ]
