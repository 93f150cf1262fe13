"""All SQL of operations."""

from __future__ import annotations

from datetime import datetime

from core.database import Connection
from subscriptions.operations.model import LeadFigures, TargetFigures
from subscriptions.push.model import TargetKind, TargetState


async def load_target_figures(
    connection: Connection, *, organisation_code: str | None
) -> tuple[TargetFigures, ...]:
    """Load how targets fare, of one organisation or (None) of all."""
    rows = await connection.fetch(
        "SELECT t.*, (SELECT count(*) FROM subscriptions.dead_letter d"
        "  WHERE d.target_id = t.id AND d.redriven_at IS NULL) AS dead_letters"
        " FROM subscriptions.target t JOIN subscriptions.consumer c ON c.id = t.consumer_id"
        " JOIN subscriptions.subscription s ON s.id = c.subscription_id"
        " WHERE $1::text IS NULL OR s.organisation_code = $1",
        organisation_code,
    )
    return tuple(
        TargetFigures(
            consumer_id=row["consumer_id"],
            kind=TargetKind(row["kind"]),
            state=TargetState(row["state"]),
            state_reason=row["state_reason"],
            failures=row["failures"],
            failing_since=row["first_failed_at"],
            dead_letters=row["dead_letters"],
        )
        for row in rows
    )


async def load_lead_figures(
    connection: Connection, *, organisation_code: str | None, at: datetime
) -> tuple[LeadFigures, ...]:
    """Count open and late leads by subscription, of one organisation or (None) of all."""
    rows = await connection.fetch(
        "SELECT s.id, count(*) FILTER (WHERE l.answered_at IS NULL) AS open,"
        " count(*) FILTER (WHERE l.answered_at IS NULL AND"
        "  ((l.signed_at IS NULL AND l.sign_due_at < $2) OR l.answer_due_at < $2)) AS overdue"
        " FROM subscriptions.subscription s JOIN subscriptions.lead l ON l.subscription_id = s.id"
        " WHERE $1::text IS NULL OR s.organisation_code = $1 GROUP BY s.id",
        organisation_code,
        at,
    )
    return tuple(
        LeadFigures(subscription_id=row["id"], open=row["open"], overdue=row["overdue"]) for row in rows
    )


async def load_hub_figures(connection: Connection) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """Load figures of the whole hub: metric → (labels, value)."""
    resources = await connection.fetch(
        "SELECT r.code, r.current_version, coalesce(v.current_rows, 0) AS rows FROM exchange.resource r"
        " LEFT JOIN exchange.version v ON v.resource_code = r.code AND v.version = r.current_version"
    )
    log = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM core.log_pending) AS waiting,"
        " (SELECT max(leaf_index) + 1 FROM core.log_entry) AS size"
    )
    lake = await connection.fetch(
        "SELECT r.code, r.current_version - coalesce(s.version, 0) AS lag, s.failures,"
        " coalesce(s.rows, 0) AS rows FROM subscriptions.lake_state s"
        " JOIN exchange.resource r ON r.code = s.resource_code"
    )
    profiles = await connection.fetch(
        "SELECT resource_code, count(*) AS live FROM subscriptions.share_profile"
        " WHERE revoked_at IS NULL AND expires_at > now() GROUP BY resource_code"
    )
    shared = await connection.fetchrow(
        "SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS size_bytes"
        " FROM subscriptions.shared_file WHERE rows > 0"
    )
    assert log is not None
    assert shared is not None
    return {
        "lake_lag_versions": [((row["code"],), row["lag"]) for row in lake],
        "lake_failures": [((row["code"],), row["failures"]) for row in lake],
        "lake_rows": [((row["code"],), row["rows"]) for row in lake],
        "sharing_profiles": [((row["resource_code"],), row["live"]) for row in profiles],
        "sharing_files": [((), shared["files"])],
        "sharing_bytes": [((), float(shared["size_bytes"]))],
        "resource_version": [((row["code"],), row["current_version"]) for row in resources],
        "resource_rows": [((row["code"],), row["rows"]) for row in resources],
        "log_leaves": [((), log["size"] or 0)],
        "log_leaves_waiting": [((), log["waiting"])],
    }
