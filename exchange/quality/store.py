"""All SQL of quality rules and reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.database import Connection
from exchange.catalogue.model import Rule, RuleKind, Severity


async def load_rules(connection: Connection, *, resource_code: str) -> tuple[Rule, ...]:
    """Load the rules that a provider set for a resource, in their order."""
    rows = await connection.fetch(
        "SELECT * FROM exchange.quality_rule WHERE resource_code = $1 ORDER BY position", resource_code
    )
    return tuple(
        Rule(
            kind=RuleKind(row["kind"]),
            items=tuple(row["items"]),
            severity=Severity(row["severity"]),
            values=tuple(row["values"]),
            target=row["target"],
        )
        for row in rows
    )


async def replace_rules(connection: Connection, *, resource_code: str, rules: Sequence[Rule]) -> None:
    """Set the rules of a resource in place of those before."""
    await connection.execute("DELETE FROM exchange.quality_rule WHERE resource_code = $1", resource_code)
    await connection.executemany(
        'INSERT INTO exchange.quality_rule (resource_code, position, kind, items, severity, "values", target)'
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (resource_code, place, rule.kind, list(rule.items), rule.severity, list(rule.values), rule.target)
            for place, rule in enumerate(rules)
        ],
    )


async def load_days(connection: Connection, *, resource_code: str, since: datetime) -> list[dict[str, Any]]:
    """Load what the batches of each day since `since` say: rows and reasons, oldest first."""
    rows = await connection.fetch(
        "SELECT (measured_at AT TIME ZONE 'Asia/Shanghai')::date AS day, count(*) AS batches,"
        " sum(received_rows)::bigint AS received, sum(flagged_rows)::bigint AS flagged,"
        " sum(rejected_rows)::bigint AS rejected FROM exchange.quality"
        " WHERE resource_code = $1 AND measured_at >= $2 GROUP BY 1 ORDER BY 1",
        resource_code,
        since,
    )
    reasons = await connection.fetch(
        "SELECT (q.measured_at AT TIME ZONE 'Asia/Shanghai')::date AS day, r.key AS code,"
        " sum(r.value::bigint)::bigint AS rows FROM exchange.quality q, jsonb_each_text(q.rows_by_reason) r"
        " WHERE q.resource_code = $1 AND q.measured_at >= $2 GROUP BY 1, 2",
        resource_code,
        since,
    )
    days = {row["day"]: dict(row) | {"by_reason": {}} for row in rows}
    for row in reasons:
        days[row["day"]]["by_reason"][row["code"]] = row["rows"]
    return list(days.values())


async def load_last_version_at(connection: Connection, *, resource_code: str) -> datetime | None:
    """Load when the newest version was committed; None before the first."""
    found: datetime | None = await connection.fetchval(
        "SELECT max(committed_at) FROM exchange.version WHERE resource_code = $1", resource_code
    )
    return found
