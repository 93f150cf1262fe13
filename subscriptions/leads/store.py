"""All SQL of leads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Connection
from subscriptions.leads.model import Lead, LeadTerms, Result
from subscriptions.model import Operation, Position

LIST_LIMIT = 1000


async def save_terms(connection: Connection, *, subscription_id: UUID, terms: LeadTerms) -> None:
    """Insert the terms of a subscription to leads."""
    await connection.execute(
        "INSERT INTO subscriptions.lead_terms VALUES ($1, $2, $3)",
        subscription_id,
        terms.sign_working_days,
        terms.answer_working_days,
    )


async def load_terms(connection: Connection, *, subscription_id: UUID) -> LeadTerms | None:
    """Load the terms of a subscription; None where it is none to leads."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.lead_terms WHERE subscription_id = $1", subscription_id
    )
    if row is None:
        return None
    return LeadTerms(
        sign_working_days=row["sign_working_days"], answer_working_days=row["answer_working_days"]
    )


async def load_behind(connection: Connection, *, limit: int) -> list[UUID]:
    """Load subscriptions to leads whose resource has versions that were not looked at yet."""
    rows = await connection.fetch(
        "SELECT s.id FROM subscriptions.subscription s JOIN subscriptions.consumer c"
        " ON c.subscription_id = s.id AND c.name = 'leads' JOIN exchange.resource r"
        " ON r.code = s.resource_code JOIN exchange.grant_ g ON g.id = s.grant_id"
        " WHERE s.kind = 'leads' AND c.acked_version <= r.current_version AND c.paused_at IS NULL"
        " AND g.revoked_at IS NULL AND g.valid_until > now() ORDER BY s.id LIMIT $1",
        limit,
    )
    return [row["id"] for row in rows]


async def lock_consumer(connection: Connection, *, subscription_id: UUID) -> bool:
    """Take a subscription's leads for this transaction; False where another hub has them."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM subscriptions.consumer WHERE subscription_id = $1 AND name = 'leads'"
            " FOR UPDATE SKIP LOCKED)",
            subscription_id,
        )
    )


async def save_leads(connection: Connection, *, leads: Sequence[Lead]) -> None:
    """Insert leads; those that are there already stay as they are."""
    await connection.executemany(
        "INSERT INTO subscriptions.lead (id, subscription_id, version, sequence, operation, pushed_at,"
        " sign_due_at, answer_due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (subscription_id, version, sequence) DO NOTHING",
        [
            (
                lead.id,
                lead.subscription_id,
                lead.position.version,
                lead.position.sequence,
                lead.operation,
                lead.pushed_at,
                lead.sign_due_at,
                lead.answer_due_at,
            )
            for lead in leads
        ],
    )


async def load_lead(
    connection: Connection, *, subscription_id: UUID, lead_id: UUID, for_update: bool = False
) -> Lead | None:
    """Load a lead; None where the subscription has none of that id."""
    row = await connection.fetchrow(
        "SELECT * FROM subscriptions.lead WHERE id = $1 AND subscription_id = $2"
        + (" FOR UPDATE" if for_update else ""),
        lead_id,
        subscription_id,
    )
    return None if row is None else _lead(row)


async def load_leads(
    connection: Connection,
    *,
    subscription_id: UUID | None,
    resource_code: str | None,
    overdue_at: datetime | None,
    open_only: bool,
) -> list[Lead]:
    """Load leads of a subscription or of a resource, the most urgent first.

    With `overdue_at` those alone that are late then.
    """
    rows = await connection.fetch(
        "SELECT l.* FROM subscriptions.lead l JOIN subscriptions.subscription s ON s.id = l.subscription_id"
        " WHERE ($1::uuid IS NULL OR s.id = $1) AND ($2::text IS NULL OR s.resource_code = $2)"
        " AND ($3::timestamptz IS NULL OR coalesce(l.signed_at, $3) > l.sign_due_at"
        "  OR coalesce(l.answered_at, $3) > l.answer_due_at)"
        " AND (NOT $4 OR l.answered_at IS NULL)"
        " ORDER BY l.answered_at IS NOT NULL, l.sign_due_at, l.version, l.sequence LIMIT $5",
        subscription_id,
        resource_code,
        overdue_at,
        open_only,
        LIST_LIMIT,
    )
    return [_lead(row) for row in rows]


async def save_signature(connection: Connection, *, lead_id: UUID, by: str, at: datetime) -> None:
    """Record who signed for a lead."""
    await connection.execute(
        "UPDATE subscriptions.lead SET signed_at = $2, signed_by = $3 WHERE id = $1", lead_id, at, by
    )


async def save_answer(
    connection: Connection, *, lead_id: UUID, by: str, result: Result, answer: str, at: datetime
) -> None:
    """Record what came of a lead."""
    await connection.execute(
        "UPDATE subscriptions.lead SET answered_at = $2, answered_by = $3, result = $4, answer = $5"
        " WHERE id = $1",
        lead_id,
        at,
        by,
        result,
        answer,
    )


async def take_newly_overdue(connection: Connection, *, at: datetime) -> list[asyncpg.Record]:
    """Mark open leads that are late and were not reminded of; return how many, by subscription."""
    return await connection.fetch(
        "WITH late AS (UPDATE subscriptions.lead SET reminded_at = $1 WHERE answered_at IS NULL"
        "  AND reminded_at IS NULL AND ((signed_at IS NULL AND sign_due_at < $1) OR answer_due_at < $1)"
        "  RETURNING subscription_id)"
        " SELECT s.id, s.organisation_code, s.resource_code, r.provider_code, count(*) AS leads FROM late"
        " JOIN subscriptions.subscription s ON s.id = late.subscription_id"
        " JOIN exchange.resource r ON r.code = s.resource_code GROUP BY 1, 2, 3, 4",
        at,
    )


def _lead(row: asyncpg.Record) -> Lead:
    return Lead(
        id=row["id"],
        subscription_id=row["subscription_id"],
        position=Position(version=row["version"], sequence=row["sequence"]),
        operation=Operation(row["operation"]),
        pushed_at=row["pushed_at"],
        sign_due_at=row["sign_due_at"],
        answer_due_at=row["answer_due_at"],
        signed_at=row["signed_at"],
        signed_by=row["signed_by"],
        answered_at=row["answered_at"],
        answered_by=row["answered_by"],
        result=None if row["result"] is None else Result(row["result"]),
        answer=row["answer"],
    )
