"""All SQL of effects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from evidence.cascade.model import Action, Cause, Effect, EffectState, Finding, Suspension

_STANDS_SINCE: Final = "greatest(e.made_at, e.checked_at)"
# A fact that was found changed and, after another change of its source, as the case has it again.
_HELD_AGAIN: Final = (
    "(SELECT min(n.checked_at) FROM evidence.cascade_effect n WHERE n.case_id = e.case_id"
    " AND n.fact = e.fact AND e.finding = 'changed' AND n.finding = 'held' AND n.checked_at > e.checked_at)"
)
_KEPT: Final = (
    "SELECT e.*, c.case_number, CASE WHEN e.case_id IS NULL THEN e.settled_at WHEN e.finding = 'held'"
    f" THEN e.checked_at ELSE least({_HELD_AGAIN}, CASE WHEN c.last_run_at > {_STANDS_SINCE}"
    " THEN c.last_run_at END) END AS ended_at"
    " FROM evidence.cascade_effect e LEFT JOIN evidence.case_ c ON c.id = e.case_id"
)


async def save_effect(connection: Connection, *, effect: Effect) -> bool:
    """Insert an effect; False where it is there already."""
    done = await connection.execute(
        "INSERT INTO evidence.cascade_effect (id, organisation_code, source, source_version, trigger,"
        " rule_code, case_id, fact, certificate_id, action, state, made_at, settled_at, next_check_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
        effect.id,
        effect.organisation_code,
        effect.cause.source,
        effect.cause.version,
        effect.cause.trigger,
        effect.rule_code,
        effect.case_id,
        effect.fact,
        effect.certificate_id,
        effect.action,
        effect.state,
        effect.made_at,
        effect.settled_at,
        effect.made_at if effect.case_id is not None and effect.state is EffectState.PENDING else None,
    )
    return done.endswith(" 1")


async def load_effects(
    connection: Connection, *, offices: Sequence[str] | None, before: datetime | None, limit: int
) -> list[Effect]:
    """Load effects, newest first, of some organisations or (None) all."""
    rows = await connection.fetch(
        f"{_KEPT} WHERE ($1::text[] IS NULL OR e.organisation_code = ANY($1))"
        " AND ($2::timestamptz IS NULL OR e.made_at < $2) ORDER BY e.made_at DESC, e.id LIMIT $3",
        None if offices is None else list(offices),
        before,
        limit,
    )
    return [_effect(row) for row in rows]


async def lock_effect(connection: Connection, *, effect_id: UUID) -> Effect | None:
    """Load one effect and hold it until the transaction ends."""
    row = await connection.fetchrow(f"{_KEPT} WHERE e.id = $1 FOR UPDATE OF e", effect_id)
    return None if row is None else _effect(row)


async def settle_effect(connection: Connection, *, effect_id: UUID, state: EffectState, at: datetime) -> None:
    """Set the state of an effect that was pending."""
    await connection.execute(
        "UPDATE evidence.cascade_effect SET state = $2, settled_at = $3 WHERE id = $1", effect_id, state, at
    )


async def claim_due(connection: Connection, *, at: datetime, again_at: datetime, limit: int) -> list[Effect]:
    """Take effects whose check is due, so that no other process takes them before `again_at`."""
    rows = await connection.fetch(
        "WITH due AS (SELECT id FROM evidence.cascade_effect WHERE next_check_at <= $1"
        " ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " UPDATE evidence.cascade_effect e SET next_check_at = $2 FROM due WHERE e.id = due.id"
        " RETURNING e.id",
        at,
        again_at,
        limit,
    )
    found = await connection.fetch(
        f"{_KEPT} WHERE e.id = ANY($1::uuid[]) ORDER BY e.made_at, e.id", [row["id"] for row in rows]
    )
    return [_effect(row) for row in found]


async def save_finding(
    connection: Connection, *, effect_id: UUID, finding: Finding, reason: str, at: datetime
) -> None:
    """Note what the hub found when it checked again; the effect waits no more."""
    await connection.execute(
        "UPDATE evidence.cascade_effect SET state = 'done', finding = $2, reason = $3, checked_at = $4,"
        " next_check_at = NULL WHERE id = $1",
        effect_id,
        finding,
        reason,
        at,
    )


async def load_suspensions(connection: Connection, *, case_id: UUID) -> list[Suspension]:
    """Load why a case is suspended: effects since its last run that suspend it, or found a change."""
    rows = await connection.fetch(
        f"SELECT e.*, {_STANDS_SINCE} AS since FROM evidence.cascade_effect e"
        " JOIN evidence.case_ c ON c.id = e.case_id"
        " WHERE e.case_id = $1 AND (e.action = 'suspend' OR e.finding = 'changed')"
        f" AND c.closed_at IS NULL AND c.last_run_at <= {_STANDS_SINCE} AND {_HELD_AGAIN} IS NULL"
        " ORDER BY since, e.fact",
        case_id,
    )
    return [
        Suspension(
            effect_id=row["id"],
            fact=row["fact"],
            cause=_cause(row),
            reason=row["reason"],
            since=row["since"],
        )
        for row in rows
    ]


def _cause(row: asyncpg.Record) -> Cause:
    return Cause(source=row["source"], version=row["source_version"], trigger=row["trigger"])


def _effect(row: asyncpg.Record) -> Effect:
    return Effect(
        id=row["id"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        cause=_cause(row),
        rule_code=row["rule_code"],
        case_id=row["case_id"],
        case_number=row["case_number"],
        fact=row["fact"],
        certificate_id=row["certificate_id"],
        action=Action(row["action"]),
        state=EffectState(row["state"]),
        made_at=row["made_at"],
        settled_at=row["ended_at"],
        finding=None if row["finding"] is None else Finding(row["finding"]),
        reason=row["reason"],
        checked_at=row["checked_at"],
    )
