"""All SQL of the guard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from exchange.guard.model import Alert, AlertKind, CallLimit, GuardRule, LimitScope, Measure

LIST_LIMIT = 500
EVIDENCE_LEAVES = 200


async def save_sightings(
    connection: Connection, *, pairs: Sequence[tuple[str, bytes, bytes]], at: datetime
) -> None:
    """Insert or refresh sightings (kind, key, member), in the order given."""
    await connection.execute(
        "INSERT INTO exchange.guard_sighting (kind, key, member, seen_at)"
        " SELECT k, y, m, $4 FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS t(k, y, m)"
        " ON CONFLICT ON CONSTRAINT guard_sighting_pk DO UPDATE SET seen_at = EXCLUDED.seen_at",
        [kind for kind, _, _ in pairs],
        [key for _, key, _ in pairs],
        [member for _, _, member in pairs],
        at,
    )


async def count_members(
    connection: Connection, *, keys: Sequence[tuple[str, bytes, datetime]]
) -> dict[tuple[str, bytes], int]:
    """Count the members of keys seen since a time: (kind, key, since) → number."""
    rows = await connection.fetch(
        "SELECT t.k, t.y, count(s.member) AS members"
        " FROM unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS t(k, y, since)"
        " JOIN exchange.guard_sighting s ON s.kind = t.k AND s.key = t.y AND s.seen_at > t.since"
        " GROUP BY t.k, t.y",
        [kind for kind, _, _ in keys],
        [key for _, key, _ in keys],
        [since for _, _, since in keys],
    )
    return {(row["k"], row["y"]): row["members"] for row in rows}


async def delete_sightings(connection: Connection, *, before: datetime) -> None:
    """Delete what is older than every window, and minutes that are over."""
    await connection.execute("DELETE FROM exchange.guard_sighting WHERE seen_at < $1", before)
    await connection.execute("DELETE FROM exchange.call_window WHERE minute < $1", before)


async def add_volume(
    connection: Connection,
    *,
    volumes: Sequence[tuple[SystemId, str, int, int]],
    hour: datetime,
    since: datetime,
) -> dict[tuple[SystemId, str], tuple[int, int]]:
    """Add calls and rows of (system, resource) to an hour.

    Returns the hour's calls so far, and the most calls in one hour between `since` and this one.
    """
    ordered = sorted(volumes, key=lambda each: (each[0].bytes, each[1]))
    rows = await connection.fetch(
        "INSERT INTO exchange.guard_volume AS v (system_id, resource_code, hour, calls, row_count)"
        " SELECT s, r, $5, c, n FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])"
        " AS t(s, r, c, n) ON CONFLICT ON CONSTRAINT guard_volume_pk DO UPDATE"
        " SET calls = v.calls + EXCLUDED.calls, row_count = v.row_count + EXCLUDED.row_count"
        " RETURNING system_id, resource_code, calls, coalesce((SELECT max(b.calls)"
        " FROM exchange.guard_volume b WHERE b.system_id = v.system_id AND b.resource_code = v.resource_code"
        " AND b.hour >= $6 AND b.hour < $5), 0) AS busiest",
        [system for system, _, _, _ in ordered],
        [resource for _, resource, _, _ in ordered],
        [calls for _, _, calls, _ in ordered],
        [count for _, _, _, count in ordered],
        hour,
        since,
    )
    return {
        (SystemId(row["system_id"]), row["resource_code"]): (row["calls"], row["busiest"]) for row in rows
    }


async def delete_volumes(connection: Connection, *, before: datetime) -> None:
    """Delete hours that no comparison reaches."""
    await connection.execute("DELETE FROM exchange.guard_volume WHERE hour < $1", before)


async def load_leaf_ids(
    connection: Connection, *, system_id: SystemId, operator: str | None, since: datetime
) -> list[str]:
    """Load the ids of the newest log leaves of a system (or of one operator of it): the evidence."""
    rows = await connection.fetch(
        "SELECT id FROM core.log_leaf WHERE recorded_at > $1 AND system_id = $2"
        " AND ($3::text IS NULL OR operator = $3)"
        " AND event IN ('data.queried', 'facts.verified') ORDER BY recorded_at DESC LIMIT $4",
        since,
        system_id,
        operator,
        EVIDENCE_LEAVES,
    )
    return [str(row["id"]) for row in rows]


async def load_last_level(connection: Connection, *, kind: AlertKind, key: bytes, since: datetime) -> int:
    """Return the highest level of alerts of this kind and key since a time that nobody released; else 0."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"guard/{key.hex()}")
    return int(
        await connection.fetchval(
            "SELECT coalesce(max(level), 0) FROM exchange.guard_alert"
            " WHERE kind = $1 AND key = $2 AND detected_at > $3 AND released_at IS NULL",
            kind,
            key,
            since,
        )
    )


async def save_alert(connection: Connection, *, alert: Alert) -> None:
    """Insert an alert."""
    await connection.execute(
        "INSERT INTO exchange.guard_alert (id, kind, level, key, system_id, organisation_code, operator,"
        " resource_code, provider_code, detected_at, evidence)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        alert.id,
        alert.kind,
        alert.level,
        alert.key,
        alert.system_id,
        alert.organisation_code,
        alert.operator,
        alert.resource_code,
        alert.provider_code,
        alert.detected_at,
        dict(alert.evidence),
    )


async def load_alerts(connection: Connection, *, organisation_code: str | None) -> list[Alert]:
    """Load the newest alerts on an organisation's resources or systems, or all, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM exchange.guard_alert WHERE $1::text IS NULL OR provider_code = $1"
        " OR organisation_code = $1 ORDER BY detected_at DESC, id LIMIT $2",
        organisation_code,
        LIST_LIMIT,
    )
    return [_alert(row) for row in rows]


async def release_alert(
    connection: Connection, *, alert_id: UUID, provider_code: str | None, reason: str, at: datetime
) -> Alert | None:
    """Release an alert (of a provider, or any) and lift its measure; None where there is none to release."""
    row = await connection.fetchrow(
        "UPDATE exchange.guard_alert SET released_at = $3, release_reason = $4 WHERE id = $1"
        " AND ($2::text IS NULL OR provider_code = $2) AND released_at IS NULL RETURNING *",
        alert_id,
        provider_code,
        at,
        reason,
    )
    await connection.execute("DELETE FROM exchange.guard_measure WHERE alert_id = $1", alert_id)
    return None if row is None else _alert(row)


async def save_measure(connection: Connection, *, measure: Measure) -> None:
    """Insert a measure, or make one that is there stricter and longer."""
    await connection.execute(
        "INSERT INTO exchange.guard_measure AS m (system_id, operator, level, until, alert_id)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT guard_measure_pk DO UPDATE"
        " SET level = CASE WHEN m.until > now() THEN greatest(m.level, EXCLUDED.level)"
        " ELSE EXCLUDED.level END, until = greatest(m.until, EXCLUDED.until), alert_id = EXCLUDED.alert_id",
        measure.system_id,
        measure.operator,
        measure.level,
        measure.until,
        measure.alert_id,
    )


async def load_measures(connection: Connection, *, at: datetime) -> list[Measure]:
    """Load the measures that hold at a time."""
    rows = await connection.fetch("SELECT * FROM exchange.guard_measure WHERE until > $1", at)
    return [
        Measure(
            system_id=SystemId(row["system_id"]),
            operator=row["operator"],
            level=row["level"],
            until=row["until"],
            alert_id=row["alert_id"],
        )
        for row in rows
    ]


async def load_rules(connection: Connection) -> dict[AlertKind, GuardRule]:
    """Load the thresholds by kind."""
    rows = await connection.fetch("SELECT kind, threshold, window_s FROM exchange.guard_rule")
    return {
        AlertKind(row["kind"]): GuardRule(**{**dict(row), "kind": AlertKind(row["kind"])}) for row in rows
    }


async def save_rule(connection: Connection, *, rule: GuardRule) -> None:
    """Set a threshold."""
    await connection.execute(
        "UPDATE exchange.guard_rule SET threshold = $2, window_s = $3 WHERE kind = $1",
        rule.kind,
        rule.threshold,
        rule.window_s,
    )


async def load_limits(connection: Connection) -> list[CallLimit]:
    """Load all limits, the defaults too."""
    rows = await connection.fetch("SELECT scope, name, per_minute FROM exchange.call_limit ORDER BY 1, 2")
    return [
        CallLimit(scope=LimitScope(row["scope"]), name=row["name"], per_minute=row["per_minute"])
        for row in rows
    ]


async def save_limit(connection: Connection, *, limit: CallLimit) -> None:
    """Set a limit."""
    await connection.execute(
        "INSERT INTO exchange.call_limit (scope, name, per_minute) VALUES ($1, $2, $3)"
        " ON CONFLICT ON CONSTRAINT call_limit_pk DO UPDATE SET per_minute = EXCLUDED.per_minute",
        limit.scope,
        limit.name,
        limit.per_minute,
    )


async def lease_calls(connection: Connection, *, limit: CallLimit, minute: datetime, wanted: int) -> int:
    """Take up to `wanted` calls of a minute for this process; 0 where they are used up."""
    taken = await connection.fetchval(
        "INSERT INTO exchange.call_window AS w (scope, name, minute, taken) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT ON CONSTRAINT call_window_pk DO UPDATE SET taken = w.taken + EXCLUDED.taken"
        " WHERE w.taken < $5 RETURNING taken",
        limit.scope,
        limit.name,
        minute,
        wanted,
        limit.per_minute,
    )
    return 0 if taken is None else min(wanted, limit.per_minute - (int(taken) - wanted))


def _alert(row: asyncpg.Record) -> Alert:
    return Alert(
        id=row["id"],
        kind=AlertKind(row["kind"]),
        level=row["level"],
        key=row["key"],
        system_id=SystemId(row["system_id"]),
        organisation_code=OrganisationCode(row["organisation_code"]),
        operator=row["operator"],
        resource_code=row["resource_code"],
        provider_code=OrganisationCode(row["provider_code"]),
        detected_at=row["detected_at"],
        evidence=row["evidence"],
        released_at=row["released_at"],
        release_reason=row["release_reason"],
    )
