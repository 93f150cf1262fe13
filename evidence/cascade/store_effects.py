"""All SQL of effects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from evidence.cascade.model import Action, Cause, Effect, EffectState

_KEPT = (
    "SELECT e.*, c.case_number, CASE WHEN e.action = 'recheck' THEN"
    " CASE WHEN c.last_run_at > e.made_at THEN c.last_run_at END ELSE e.settled_at END AS ended_at"
    " FROM evidence.cascade_effect e LEFT JOIN evidence.case_ c ON c.id = e.case_id"
)


async def save_effect(connection: Connection, *, effect: Effect) -> bool:
    """Insert an effect; False where it is there already."""
    done = await connection.execute(
        "INSERT INTO evidence.cascade_effect (id, organisation_code, source, source_version, trigger,"
        " rule_code, case_id, fact, certificate_id, action, state, made_at, settled_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
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


def _effect(row: asyncpg.Record) -> Effect:
    return Effect(
        id=row["id"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        cause=Cause(source=row["source"], version=row["source_version"], trigger=row["trigger"]),
        rule_code=row["rule_code"],
        case_id=row["case_id"],
        case_number=row["case_number"],
        fact=row["fact"],
        certificate_id=row["certificate_id"],
        action=Action(row["action"]),
        state=EffectState(row["state"]),
        made_at=row["made_at"],
        settled_at=row["ended_at"],
    )
